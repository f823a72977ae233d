"""This package tries the default recipe on data of other shapes, later times, new users and new titles."""
