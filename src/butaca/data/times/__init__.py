"""This package reads times: numbers in any unit, and dates as people write them."""
