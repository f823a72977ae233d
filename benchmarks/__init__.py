"""This package holds a command per claim: butaca and its peer in one run, printed as ratios."""
