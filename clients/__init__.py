"""This package makes the clients: their types, and the note of what was compiled."""
