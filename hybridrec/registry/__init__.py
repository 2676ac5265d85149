"""Discovery of plugins and observation of runs, with pluggy."""
