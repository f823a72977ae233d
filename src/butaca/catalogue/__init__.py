"""This room holds the items as people know them: titles, genres, filters."""
