"""Training networks and baselines: architectures, the training loop, what a run keeps on disk, ensembles.

In: `data.Splits` and a recipe. Out: a model and its history.
"""
