"""Tuning: search for the best values of options and weights, measured on validation queries."""
