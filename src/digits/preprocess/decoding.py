"""Decode image files as upright greyscale pictures, scaled down to the size that preprocessing works at."""

import warnings
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
from PIL import ExifTags, Image

SUFFIXES_OF = {
    "PNG": (".png",),
    "JPEG": (".jpg", ".jpeg"),
    "BMP": (".bmp",),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
    "GIF": (".gif",),
    "AVIF": (".avif",),
    "PPM": (".pgm", ".ppm", ".pbm"),
}
SUFFIXES = tuple(suffix for suffixes in SUFFIXES_OF.values() for suffix in suffixes)
FORMATS = f"{', '.join(list(SUFFIXES_OF)[:-1])} or {list(SUFFIXES_OF)[-1]}"
# A JPEG is decoded at a fraction of its size, up to Pillow's own limit, unless it is progressive: then it takes memory
# in full size, as every other format does, up to 16 bytes a pixel.
LARGEST_PIXELS, LARGEST_JPEG = 50_000_000, 178_000_000
# Larger pictures are scaled down to this size in pixels first: enough for a single digit, and fast.
WORKING_SIDE = 400
# What makes a picture of each orientation in Exif upright.
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# From the first bytes of files that people take for pictures, to what to do about them.
UNREADABLE = {
    b"ftyp": "HEIC and video aren't read; convert it to JPEG, for example with `magick photo.heic photo.jpg`, or let "
    "the iPhone take JPEGs: Settings, Camera, Formats, Most Compatible",
    b"\0\5\x16\7": "not an image, but macOS's notes about one (AppleDouble), which can be deleted",
}


def read_grey(source: Path | bytes, side: int = WORKING_SIDE) -> np.ndarray:
    """Decode an image of any mode as an upright greyscale picture, uint8 (height, width).

    Transparent areas become paper that contrasts with the ink. Of several pictures in a file, the first is read. Of the
    metadata, only the orientation is.

    Args:
        source: a file, or its bytes.
        side: a much larger JPEG may be decoded at a smaller size, though not below this side in pixels, which is
            several times as fast.

    Raises:
        OSError: there is no such file, or it can't be opened.
        ValueError: it isn't a valid image of a supported format, or has over 50 million pixels, as a JPEG 178 million.
    """
    if isinstance(source, bytes):
        return _decoded(BytesIO(source), side)
    try:
        # Only a file: opening a pipe would wait for somebody to write to it.
        if not source.is_file():
            raise FileNotFoundError(f"no image {source}")
        file = source.open("rb")
    except OSError as error:
        raise type(error)(f"can't read {source}: {error.strerror}" if error.strerror else str(error)) from error
    with file:
        return _decoded(file, side)


def at_working_size(grey: np.ndarray, side: int = WORKING_SIDE) -> np.ndarray:
    """Scale a greyscale picture, uint8 (height, width), down to fit `side`×`side`; a smaller one is returned as is."""
    height, width = grey.shape
    shrink = side / max(height, width)
    if shrink >= 1:
        return grey
    size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    return cv2.resize(grey, size, interpolation=cv2.INTER_AREA)


def _decoded(file: BinaryIO, side: int) -> np.ndarray:
    with warnings.catch_warnings():
        # Pillow warns of tags that it can't read and of large pictures, for which the limits here count.
        warnings.simplefilter("ignore")
        try:
            picture = Image.open(file, formats=tuple(SUFFIXES_OF))
        except Image.DecompressionBombError as error:
            raise ValueError(f"over {LARGEST_JPEG // 10**6} million pixels; scale it down") from error
        # Damaged files raise almost anything in Pillow's decoders.
        except Exception as error:
            raise ValueError(_why_unreadable(file)) from error
        with picture:
            width, height = picture.size
            is_light = picture.format in ("JPEG", "MPO") and "progressive" not in picture.info
            largest = LARGEST_JPEG if is_light else LARGEST_PIXELS
            if width * height > largest:
                raise ValueError(f"{width}×{height} is over {largest // 10**6} million pixels; scale it down")
            try:
                picture.draft("L", (side, side))
                picture.load()
                grey = _grey(picture)
                orientation = _orientation(picture)
            except Exception as error:
                raise ValueError(f"not a valid {picture.format} image: it is damaged or incomplete") from error
    return np.asarray(Image.fromarray(grey).transpose(UPRIGHT[orientation])) if orientation in UPRIGHT else grey


def _why_unreadable(file: BinaryIO) -> str:
    file.seek(0)
    start = file.read(8)
    known = (words for sign, words in UNREADABLE.items() if sign in (start[:4], start[4:]))
    return next(known, f"not a valid {FORMATS} image")


def _orientation(picture: Image.Image) -> int:
    """The orientation in a picture's Exif data, 1 (upright) where there is none that can be read."""
    try:
        # Some write it as text or as a floating-point number.
        return int(float(str(picture.getexif().get(ExifTags.Base.Orientation, 1)).strip("\0")))
    # Broken metadata raises almost anything, too, and is no reason to refuse a picture.
    except Exception:
        return 1


def _grey(picture: Image.Image) -> np.ndarray:
    if picture.mode.startswith(("I", "F")):
        # `convert` would clip these at 255; Pillow opens 16-bit files in mode I;16 or I.
        levels = np.asarray(picture)
        levels = levels.astype(levels.dtype.newbyteorder("="), copy=False)
        full = 65535
        if picture.mode == "F":
            levels = np.nan_to_num(levels)
            full = min((full for full in (1, 255) if levels.max() <= full), default=full)
        return cv2.convertScaleAbs(levels, alpha=255 / full)
    if not picture.has_transparency_data:
        return np.asarray(picture.convert("L"))
    picture = picture.convert("LA")
    levels, weights = np.moveaxis(np.asarray(picture.reduce(1 + max(picture.size) // 1000), np.float64), -1, 0)
    ink_level = (levels * weights).sum() / max(1, weights.sum())
    grey, opacity = picture.split()
    paper = Image.new("L", picture.size, 0 if ink_level > 127 else 255)
    paper.paste(grey, mask=opacity)
    return np.asarray(paper)
