"""One command per claim: butaca and its peer side by side in one run, printed as ratios."""
