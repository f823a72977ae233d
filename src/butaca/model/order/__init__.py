"""This package holds histories with an order: what their query vectors are made of."""
