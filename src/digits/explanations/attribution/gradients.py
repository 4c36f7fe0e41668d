"""Attributions by the gradient with respect to the ink. Raw maps, (N, 28, 28)."""

import numpy as np


def saliency(model, ink: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The gradient (Simonyan et al. 2014), with its sign: where more ink would raise the score."""
    return model.gradients(ink, weights)


def input_x_gradient(model, ink: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Ink times gradient (Shrikumar et al. 2016): exact for a linear model on blank paper."""
    return ink[..., 0] * model.gradients(ink, weights)


def integrated_gradients(model, ink: np.ndarray, weights: np.ndarray, steps: int = 32) -> np.ndarray:
    """Ink times the mean gradient on the way from blank paper (Sundararajan et al. 2017), by Gauss and Legendre.

    With enough steps the map's sum is the score minus that of blank paper.
    """
    nodes, shares = np.polynomial.legendre.leggauss(steps)
    total = np.zeros(ink.shape[:3], ink.dtype)
    for node, share in zip((nodes + 1) / 2, shares / 2, strict=True):
        total += ink.dtype.type(share) * model.gradients(ink.dtype.type(node) * ink, weights)
    return ink[..., 0] * total


def smooth_grad(
    model,
    ink: np.ndarray,
    weights: np.ndarray,
    rng: np.random.Generator,
    samples: int = 32,
    deviation: float = 0.15,
) -> np.ndarray:
    """The mean gradient under Gaussian noise (Smilkov et al. 2017), of a `deviation` as a share of full ink.

    All images get the same noise, so that an image's map doesn't depend on its batch.
    """
    total = np.zeros(ink.shape[:3], ink.dtype)
    for _ in range(samples):
        noise = deviation * rng.standard_normal(ink.shape[1:])
        total += model.gradients(ink + noise.astype(ink.dtype), weights)
    return total / samples
