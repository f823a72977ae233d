"""butaca."""
