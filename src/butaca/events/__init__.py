"""This room is the event store: what people did, what they were shown, and the keys of the API."""
