"""This room holds what a model must beat to be worth serving."""
