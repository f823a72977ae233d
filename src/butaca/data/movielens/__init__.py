"""This package finds and reads MovieLens in all its layouts."""
