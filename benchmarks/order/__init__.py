"""This package measures what reads the order of a history: what comes next, on data of several shapes."""
