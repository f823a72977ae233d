"""One page to look at: a saved model, its verdict and its catalogue, in one HTML file that loads nothing."""
