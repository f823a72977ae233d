"""This room within `model` holds histories with an order: what their query vectors are made of."""
