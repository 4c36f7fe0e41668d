"""Give damaged files to everything that reads a user's: `python -m tools.fuzz`."""
