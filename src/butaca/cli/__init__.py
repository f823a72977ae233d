"""This room holds the `butaca` command: what it parses and prints."""
