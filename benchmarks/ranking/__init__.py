"""This package puts the second stage beside the first alone."""
