"""This package measures the service under load."""
