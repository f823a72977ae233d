"""The items as people know them: titles, genres, filters."""
