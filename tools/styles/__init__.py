"""Draws `data/styles.npz`: digits in styles that MNIST's writers rarely use, and drawings that are no digits."""
