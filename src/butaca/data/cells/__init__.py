"""This package reads cells: ids, numbers, ratings and lists, however people write them."""
