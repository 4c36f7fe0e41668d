"""From anyone's picture of a digit to the 28×28 image that MNIST would have made of it, and an account of how."""

import warnings
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

SIDE = 28
# MNIST's digits are scaled to fit 20×20 and placed in 28×28 by their centre of mass (LeCun et al. 1998).
BOX = 20
# Mean centre of mass of the official 60,000 digits on either axis, in pixels from the centre of the first one.
MIDDLE = 14.0
FORMATS = ("PNG", "JPEG", "BMP", "WEBP")
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
LARGEST_PIXELS = 20_000_000
# Photos are first brought to this size: enough for a digit, and quick.
WORKING_SIDE = 400
# Grey levels between ink and paper below which a picture counts as blank.
LEAST_CONTRAST = 16


@dataclass(frozen=True)
class Prepared:
    """A digit ready to be recognised.

    Attributes:
        image: uint8 (28, 28), ink 255 on paper 0.
        steps: what was done to the picture, one phrase each, in order.
    """

    image: np.ndarray
    steps: tuple[str, ...]


def check_images(images: np.ndarray) -> None:
    """Raise a ValueError unless `images` are what the library calls images: uint8 (N, 28, 28)."""
    if not (isinstance(images, np.ndarray) and images.dtype == np.uint8 and images.shape[1:] == (28, 28)):
        came = f"{images.dtype} {images.shape}" if isinstance(images, np.ndarray) else type(images).__name__
        raise ValueError(f"expected images as uint8 (N, 28, 28), got {came}")


def to_input(images: np.ndarray) -> np.ndarray:
    """The model's door: uint8 (N, 28, 28) to float32 (N, 28, 28, 1), ink 255 becoming 1."""
    return images[..., None].astype(np.float32) / np.float32(255)


def prepare_file(source: Path | bytes) -> Prepared:
    """Prepare an image file, or its bytes: `read_grey`, then `prepare`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it isn't an image, is too large to decode safely, or nothing is drawn on it.
    """
    name = "the image" if isinstance(source, bytes) else str(source)
    try:
        grey = read_grey(source)
        return prepare(grey)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def read_grey(source: Path | bytes) -> np.ndarray:
    """Decode a picture of any mode as uint8 (height, width), upright, transparency laid on contrasting paper.

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
            picture.draft("L", (WORKING_SIDE, WORKING_SIDE))
            return _grey(ImageOps.exif_transpose(picture))
    except Image.DecompressionBombError as error:
        raise ValueError(too_large) from error
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise ValueError(f"not a whole {', '.join(FORMATS[:-1])} or {FORMATS[-1]} image") from error


def at_working_size(grey: np.ndarray) -> np.ndarray:
    """A grey picture scaled down to the size at which digits are looked for; itself if it is no larger."""
    height, width = grey.shape
    shrink = WORKING_SIDE / max(height, width)
    if shrink >= 1:
        return grey
    size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    return cv2.resize(grey, size, interpolation=cv2.INTER_AREA)


def prepare(grey: np.ndarray) -> Prepared:
    """Find the digit on a grey picture, uint8 (height, width), and set it in 28×28 as MNIST does.

    Raises:
        ValueError: nothing is drawn on it.
    """
    steps = []
    if (smaller := at_working_size(grey)) is not grey:
        grey = smaller
        steps.append(f"scaled the picture down to {grey.shape[1]}×{grey.shape[0]}")

    ink, is_light = _ink(grey)
    steps.append("light ink on dark paper" if is_light else "dark ink on light paper")
    _, mask = cv2.threshold(ink, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    if ink.max() < LEAST_CONTRAST or not mask.any():
        raise ValueError("nothing is drawn on it")
    mask, dropped = _without_specks(mask)
    if dropped:
        steps.append(f"left out {dropped} specks")

    left, top, box_width, box_height = cv2.boundingRect(mask)
    steps.append(f"found ink in {box_width}×{box_height} pixels at ({left}, {top})")
    # Faint ink around the strokes is their smooth edge; further away it is paper.
    near = cv2.dilate(mask, np.ones((3, 3), np.uint8))
    digit = np.where(near, ink, 0)[top : top + box_height, left : left + box_width]

    scale = BOX / max(box_width, box_height)
    size = (max(1, round(box_width * scale)), max(1, round(box_height * scale)))
    # In floating point, because thin faint strokes would round to nothing before their ink is made full again.
    digit = cv2.resize(digit.astype(np.float32), size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    digit = cv2.convertScaleAbs(digit, alpha=255 / float(digit.max()))
    steps.append(f"scaled it to {size[0]}×{size[1]}")

    image, shift = _centred(digit)
    steps.append(f"moved its centre of mass to the middle ({shift[0]:+d}, {shift[1]:+d} pixels)")
    return Prepared(image, tuple(steps))


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


def _ink(grey: np.ndarray) -> tuple[np.ndarray, bool]:
    """The ink alone, uint8 of the same shape, paper 0; and whether it is lighter than its paper."""
    threshold, _ = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    is_light = bool(np.mean(border > threshold) < 0.5)
    dark_on_light = 255 - grey if is_light else grey
    # Closing with a window wider than any stroke leaves the paper with its shadows; blurring makes it smooth.
    window = max(3, max(grey.shape) // 3) | 1
    padded = cv2.copyMakeBorder(dark_on_light, window, window, window, window, cv2.BORDER_REPLICATE)
    paper = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, np.ones((window, window), np.uint8))
    paper = cv2.blur(paper, (window, window))[window:-window, window:-window]
    return cv2.subtract(paper, dark_on_light), is_light


def _without_specks(mask: np.ndarray) -> tuple[np.ndarray, int]:
    """The mask without components smaller than a hundredth of the largest, and how many those were."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    areas = stats[1:, cv2.CC_STAT_AREA]
    kept = np.concatenate([[False], areas >= areas.max() / 100])
    return kept[labels].astype(np.uint8), int(count - kept.sum() - 1)


def _centred(digit: np.ndarray) -> tuple[np.ndarray, tuple[int, int]]:
    """Set `digit` in 28×28 with its centre of mass in the middle as far as it fits; also its box's shift, (x, y)."""
    height, width = digit.shape
    moments = cv2.moments(digit)
    left = round(MIDDLE - moments["m10"] / moments["m00"])
    top = round(MIDDLE - moments["m01"] / moments["m00"])
    left, top = min(max(left, 0), SIDE - width), min(max(top, 0), SIDE - height)
    image = np.zeros((SIDE, SIDE), np.uint8)
    image[top : top + height, left : left + width] = digit
    return image, (left - (SIDE - width) // 2, top - (SIDE - height) // 2)
