"""The admin listener: health, readiness, metrics and the API. Loopback unless told otherwise."""
