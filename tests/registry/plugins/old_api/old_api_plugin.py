"""Written for an API that is gone."""

requires_api = "0.9"
