"""This room prepares, trains and lists for data that outgrow memory, and one machine."""
