"""This room is the second stage: features of a candidate, a LambdaMART ranker, and its verdict."""
