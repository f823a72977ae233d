"""This room turns codes into vectors: features, the two towers, and the one softmax they train with."""
