"""The search for options and weights on validation queries."""
