"""This room makes one page to look at, an HTML file that loads nothing: a model, its verdict and items."""
