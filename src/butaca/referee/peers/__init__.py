"""This package holds other libraries' models as the referee fits them, a file for each library."""
