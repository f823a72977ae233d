"""This package finds what columns are: by name in many tongues, by their cells, by what the caller says."""
