"""Codes to vectors: declared features, the two towers, and the one softmax loss they train with."""
