"""Digits and heat maps as small pictures for a page, without matplotlib, which takes longer to start than to answer."""

import base64

import cv2
import numpy as np

HEAT = np.array([0.84, 0.19, 0.08])


def overlay(image: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """A digit in grey on white under a heat map in red, RGB (28, 28, 3) in [0, 1]."""
    paper = 1 - 0.75 * image[..., None] / 255
    opacity = 0.85 * heat[..., None]
    return paper * (1 - opacity) + HEAT * opacity


def on_paper(image: np.ndarray) -> np.ndarray:
    """A digit, uint8 (28, 28), ink 255 on paper 0, as people see it: dark on white, uint8 (28, 28)."""
    return 255 - image


def mark_changes(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """The changed digit, RGB (28, 28, 3) in [0, 1]: new ink red, ink taken away blue, the rest grey on white."""
    picture = np.repeat(1 - 0.75 * after[..., None] / 255, 3, axis=2)
    picture[after > before] = HEAT
    picture[after < before] = (0.16, 0.45, 0.85)
    return picture


def png(picture: np.ndarray) -> bytes:
    """A picture as PNG: grey uint8 (h, w), or RGB (h, w, 3) as uint8 or as floats in [0, 1]."""
    if picture.dtype != np.uint8:
        picture = (picture * 255).round().astype(np.uint8)
    encoded = cv2.imencode(".png", picture if picture.ndim == 2 else picture[..., ::-1])[1]
    return encoded.tobytes()


def data_uri(picture: np.ndarray) -> str:
    """A picture, as `png` takes it, as a `data:` address that a page can show without another request."""
    return "data:image/png;base64," + base64.b64encode(png(picture)).decode("ascii")
