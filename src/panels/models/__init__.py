"""Models: their cards side by side, and corruption sweeps of them."""
