"""This room holds the routes of the HTTP API, a file for each subject."""
