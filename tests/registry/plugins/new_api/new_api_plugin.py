"""Written for an API that is still to come."""

requires_api = "1.99"
