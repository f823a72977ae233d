"""Exact top-k over a catalogue."""
