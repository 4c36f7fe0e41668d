"""Digits and heat maps as small PNGs for a page, without matplotlib, which takes too long to import."""

import base64

import cv2
import numpy as np

# RGB in [0, 1] of evidence and of new ink, and of removed ink.
HEAT, REMOVED = np.array([0.84, 0.19, 0.08]), np.array([0.16, 0.45, 0.85])


def overlay(image: np.ndarray, heat: np.ndarray, opacity: float = 0.85) -> np.ndarray:
    """A digit, uint8 (28, 28), in grey under a heat map, (28, 28) in [0, 1], in red: RGB (28, 28, 3) in [0, 1]."""
    paper = 1 - 0.75 * image[..., None] / 255
    red = opacity * heat[..., None]
    return paper * (1 - red) + HEAT * red


def on_paper(image: np.ndarray) -> np.ndarray:
    """A digit, uint8 (28, 28), inverted so that it is dark on white, uint8 (28, 28)."""
    return 255 - image


def mark_changes(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """A changed digit: new ink in red, removed ink in blue, the rest in grey on white.

    Args:
        before, after: uint8 (28, 28).

    Returns:
        RGB, float (28, 28, 3) in [0, 1].
    """
    picture = np.repeat(1 - 0.75 * after[..., None] / 255, 3, axis=2)
    picture[after > before] = HEAT
    picture[after < before] = REMOVED
    return picture


def signed(values: np.ndarray) -> np.ndarray:
    """Numbers of either sign, (height, width), as colours: white for 0, red above, blue below, each at its strongest.

    Returns:
        RGB, float (height, width, 3) in [0, 1].
    """
    strength = values[..., None] / max(float(np.abs(values).max()), np.finfo(np.float32).tiny)
    return 1 + np.clip(strength, 0, 1) * (HEAT - 1) + np.clip(-strength, 0, 1) * (REMOVED - 1)


def png(picture: np.ndarray) -> bytes:
    """Encode as PNG: greyscale, uint8 (height, width), or RGB (height, width, 3), uint8 or float in [0, 1]."""
    if picture.dtype != np.uint8:
        picture = (picture * 255).round().astype(np.uint8)
    encoded = cv2.imencode(".png", picture if picture.ndim == 2 else picture[..., ::-1])[1]
    return encoded.tobytes()


def data_uri(picture: np.ndarray) -> str:
    """A picture, as for `png`, as a `data:` URI that a page can show without another request."""
    return "data:image/png;base64," + base64.b64encode(png(picture)).decode("ascii")
