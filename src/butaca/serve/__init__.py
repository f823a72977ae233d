"""The service: HTTP API, event store, web page."""
