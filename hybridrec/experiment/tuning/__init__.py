"""Choosing options and weights on validation queries from inside the training parts: `hybridrec tune`."""
