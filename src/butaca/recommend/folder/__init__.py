"""This room writes and reads the model folder on the disk."""
