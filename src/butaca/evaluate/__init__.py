"""This room says how good a scorer is: metrics, and one protocol for every scorer."""
