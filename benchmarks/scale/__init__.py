"""What size costs: millions of interactions and of items."""
