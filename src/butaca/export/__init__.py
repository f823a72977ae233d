"""This room hands a model's vectors to other systems, so that the same lists come out there."""
