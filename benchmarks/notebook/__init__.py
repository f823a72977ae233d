"""This package runs the notebook beside TensorFlow Recommenders."""
