"""The default recipe beside ten peers on MovieLens 100K."""
