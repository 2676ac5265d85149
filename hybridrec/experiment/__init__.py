"""One experiment, from YAML to report."""
