"""The registry: find plugins by pluggy, check what they offer, and describe it."""
