"""Finding plugins and observing runs, with pluggy."""
