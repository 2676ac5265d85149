"""The events of persons between two fits, in a database that all requests read."""
