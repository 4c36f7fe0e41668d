"""From a picture file of any kind to grey levels, upright, at a size at which digits are looked for."""

import warnings
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

FORMATS = ("PNG", "JPEG", "BMP", "WEBP")
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
LARGEST_PIXELS = 20_000_000
# Photos are first brought to this size: enough for a digit, and quick.
WORKING_SIDE = 400


def read_grey(source: Path | bytes, side: int = WORKING_SIDE) -> np.ndarray:
    """Decode a picture of any mode as uint8 (height, width), upright, transparency laid on contrasting paper.

    Args:
        side: a JPEG that is much larger may come smaller, but not smaller than this; that is several times as quick.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it isn't a whole image of a known format, or has over 20 million pixels.
    """
    if isinstance(source, Path) and not source.is_file():
        raise FileNotFoundError(f"no image {source}")
    too_large = f"over {LARGEST_PIXELS // 10**6} million pixels; scale it down"
    try:
        with warnings.catch_warnings():
            # Pillow warns from 89 million pixels; the limit here is lower, and an error.
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
    """A grey picture scaled down so that it fits `side`×`side`; itself if it is no larger."""
    height, width = grey.shape
    shrink = side / max(height, width)
    if shrink >= 1:
        return grey
    size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    return cv2.resize(grey, size, interpolation=cv2.INTER_AREA)


def _grey(picture: Image.Image) -> np.ndarray:
    if picture.mode.startswith("I"):
        # Pillow reads 16-bit PNGs as I;16 or I, and `convert` would clip them at 255.
        return (np.asarray(picture, np.float64) / 257).round().astype(np.uint8)
    if not picture.has_transparency_data:
        return np.asarray(picture.convert("L"))
    layers = np.asarray(picture.convert("LA"), np.float64)
    opacity = layers[..., 1] / 255
    ink_level = np.average(layers[..., 0], weights=opacity) if opacity.any() else 0
    paper = 0 if ink_level > 127 else 255
    return np.round(layers[..., 0] * opacity + paper * (1 - opacity)).astype(np.uint8)
