"""This room turns rows into codes: it fetches, reads, codes and splits tables of interactions."""
