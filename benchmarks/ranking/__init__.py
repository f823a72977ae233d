"""The second stage beside the first alone."""
