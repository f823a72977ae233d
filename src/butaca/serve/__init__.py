"""This room is the service: the HTTP API and the web page, in front of models and the event store."""
