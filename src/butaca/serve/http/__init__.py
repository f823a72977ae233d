"""This room holds what every request passes before a route answers: headers, keys, limits, errors."""
