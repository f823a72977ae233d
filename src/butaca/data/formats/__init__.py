"""This package opens anything tabular: files of many kinds, archives, databases, what Python holds."""
