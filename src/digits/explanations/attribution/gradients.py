"""Attributions from the gradient with respect to the ink: raw maps, float (N, 28, 28)."""

import numpy as np

from digits.explanations.attribution.models import ExplainableModel


def saliency(model: ExplainableModel, ink: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The signed gradient (Simonyan et al. 2014): positive where more ink would raise the score."""
    return model.gradients(ink, weights)


def input_x_gradient(model: ExplainableModel, ink: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Ink times gradient (Shrikumar et al. 2016): exact for a linear model with blank paper as its baseline."""
    return ink[..., 0] * model.gradients(ink, weights)


def integrated_gradients(model: ExplainableModel, ink: np.ndarray, weights: np.ndarray, steps: int = 32) -> np.ndarray:
    """Ink times the mean gradient on the path from blank paper (Sundararajan et al. 2017).

    The mean is a Gauss-Legendre quadrature. With enough steps the map sums to the score minus that of blank paper.
    """
    nodes, shares = np.polynomial.legendre.leggauss(steps)
    total = np.zeros(ink.shape[:3], ink.dtype)
    for node, share in zip((nodes + 1) / 2, shares / 2, strict=True):
        total += ink.dtype.type(share) * model.gradients(ink.dtype.type(node) * ink, weights)
    return ink[..., 0] * total


def smooth_grad(
    model: ExplainableModel,
    ink: np.ndarray,
    weights: np.ndarray,
    rng: np.random.Generator,
    samples: int = 32,
    deviation: float = 0.15,
) -> np.ndarray:
    """The mean gradient under Gaussian noise (Smilkov et al. 2017) with a standard `deviation` relative to full ink.

    All images get the same noise, so that a map doesn't depend on the batch.
    """
    total = np.zeros(ink.shape[:3], ink.dtype)
    for _ in range(samples):
        noise = deviation * rng.standard_normal(ink.shape[1:])
        total += model.gradients(ink + noise.astype(ink.dtype), weights)
    return total / samples
