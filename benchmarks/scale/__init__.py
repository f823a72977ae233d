"""This package measures what size costs: millions of interactions and of items."""
