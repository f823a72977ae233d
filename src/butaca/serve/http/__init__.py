"""What every request passes before a route answers: headers, keys, limits, errors."""
