"""Read image files as upright greyscale pictures, scaled down to the size that preprocessing works at."""

import warnings
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

FORMATS = ("PNG", "JPEG", "BMP", "WEBP")
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
LARGEST_PIXELS = 20_000_000
# Larger pictures are scaled down to this size in pixels first: enough for a single digit, and fast.
WORKING_SIDE = 400


def read_grey(source: Path | bytes, side: int = WORKING_SIDE) -> np.ndarray:
    """Decode an image of any mode as an upright greyscale picture, uint8 (height, width).

    Transparent areas become paper that contrasts with the ink.

    Args:
        source: a file, or its bytes.
        side: a much larger JPEG may be decoded at a smaller size, though not below this side in pixels, which is
            several times as fast.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it isn't a valid image of a supported format, or has over 20 million pixels.
    """
    if isinstance(source, Path) and not source.is_file():
        raise FileNotFoundError(f"no image {source}")
    too_large = f"over {LARGEST_PIXELS // 10**6} million pixels; scale it down"
    try:
        with warnings.catch_warnings():
            # Pillow warns above 89 million pixels; the limit here is lower and raises an error.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            opened = Image.open(BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS)
        with opened as picture:
            width, height = picture.size
            if width * height > LARGEST_PIXELS:
                raise ValueError(f"{width}×{height} is {too_large}")
            picture.draft("L", (side, side))
            return _grey(ImageOps.exif_transpose(picture))
    except Image.DecompressionBombError as error:
        raise ValueError(too_large) from error
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise ValueError(f"not a valid {', '.join(FORMATS[:-1])} or {FORMATS[-1]} image") from error


def at_working_size(grey: np.ndarray, side: int = WORKING_SIDE) -> np.ndarray:
    """Scale a greyscale picture, uint8 (height, width), down to fit `side`×`side`; a smaller one is returned as is."""
    height, width = grey.shape
    shrink = side / max(height, width)
    if shrink >= 1:
        return grey
    size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    return cv2.resize(grey, size, interpolation=cv2.INTER_AREA)


def _grey(picture: Image.Image) -> np.ndarray:
    if picture.mode.startswith("I"):
        # Pillow opens 16-bit PNGs in mode I;16 or I, which `convert` would clip at 255.
        return (np.asarray(picture, np.float64) / 257).round().astype(np.uint8)
    if not picture.has_transparency_data:
        return np.asarray(picture.convert("L"))
    layers = np.asarray(picture.convert("LA"), np.float64)
    opacity = layers[..., 1] / 255
    ink_level = np.average(layers[..., 0], weights=opacity) if opacity.any() else 0
    paper = 0 if ink_level > 127 else 255
    return np.round(layers[..., 0] * opacity + paper * (1 - opacity)).astype(np.uint8)
