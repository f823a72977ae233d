"""The `butaca` command: what it parses and prints."""
