"""This room is the `butaca` command: what it parses and prints."""
