"""The second stage: features of a candidate, a LambdaMART ranker, and whether it earns its place."""
