"""The notebook beside TensorFlow Recommenders."""
