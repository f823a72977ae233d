"""This package puts the default recipe beside ten peers on MovieLens 100K."""
