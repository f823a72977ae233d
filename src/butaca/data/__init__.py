"""Rows to codes: fetching, reading, coding and splitting tables of interactions."""
