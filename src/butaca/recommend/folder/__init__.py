"""The model folder on the disk, written and read."""
