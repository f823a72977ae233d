"""This package chooses, on slices of the training data alone, what a table wants of a model."""
