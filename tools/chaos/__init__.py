"""Kill, fill and lock whatever writes files: `python -m tools.chaos`."""
