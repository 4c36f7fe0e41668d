"""Image files decoded: formats, modes and orientations against the pixels they were made of, and what is refused."""

import contextlib
import io
import os
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from digits import preprocess
from digits.preprocess.decoding import LARGEST_PIXELS, UPRIGHT, read_grey
from tests.preprocess.test_preprocess import as_png, difference, large

ORIENTATION, DATE_TIME = 0x0112, 0x0132


@pytest.fixture
def digit(some_digits) -> np.ndarray:
    return some_digits.images[3]


def encoded(picture: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def test_every_mode_of_a_picture_gives_the_same_digit(digit):
    dark = 255 - large(digit)
    expected = preprocess.prepare(dark).image
    grey = Image.fromarray(dark)
    transparent = Image.merge("RGBA", [Image.new("L", grey.size, 0)] * 3 + [Image.fromarray(large(digit))])
    white_on_transparent = Image.merge("RGBA", [Image.new("L", grey.size, 255)] * 3 + [Image.fromarray(large(digit))])
    for picture in (
        grey.convert("RGB"),
        grey.convert("RGBA"),
        grey.convert("P"),
        Image.fromarray(dark.astype(np.uint16) * 257),
        transparent,
        white_on_transparent,
    ):
        prepared = preprocess.prepare_file(as_png(picture))
        assert difference(prepared.image, expected) < 1.5, picture.mode


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "WEBP", "TIFF", "GIF", "AVIF", "PPM"])
def test_every_format_is_read(kind, digit):
    picture = 255 - large(digit)
    assert difference(read_grey(encoded(Image.fromarray(picture), kind)), picture) < 3


def test_the_first_of_several_pictures_is_read(digit):
    first, other = Image.fromarray(large(digit)), Image.new("L", (280, 280), 99)
    for kind in ("GIF", "TIFF", "WEBP"):
        content = encoded(first, kind, save_all=True, append_images=[other])
        assert difference(read_grey(content), large(digit)) < 3


def test_floating_point_pictures_of_any_range_are_read(digit):
    for full in (1, 255, 65535):
        content = encoded(Image.fromarray((large(digit) / 255 * full).astype(np.float32)), "TIFF")
        assert difference(read_grey(content), large(digit)) <= 0.5


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_undone(kind, orientation, digit):
    # Undoing a quarter turn is a quarter turn the other way; every other one is its own inverse.
    inverse = {6: 8, 8: 6}.get(orientation, orientation)
    taken = Image.fromarray(large(digit))
    taken = taken.transpose(UPRIGHT[inverse]) if inverse in UPRIGHT else taken
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    assert difference(read_grey(encoded(taken, kind, exif=exif)), large(digit)) < 3


def jpeg_with_tag(picture: Image.Image, tag: int, kind: int, count: int, value: bytes) -> bytes:
    """A JPEG whose Exif data consists of an orientation, 6, and another tag as it stands in the file."""
    entries = [struct.pack("<HHII", ORIENTATION, 3, 1, 6), struct.pack("<HHI4s", tag, kind, count, value)]
    exif = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + b"".join(entries) + bytes(64)
    return encoded(picture, "JPEG", exif=exif)


@pytest.mark.parametrize(
    "tag",
    [
        (DATE_TIME, 12, 1, struct.pack("<I", 40)),  # a double
        (DATE_TIME, 99, 1, b"\0\0\0\0"),  # a type that doesn't exist
        (0x8769, 2, 4, b"abc\0"),  # text where a position in the file is expected
        (0x8825, 11, 1, b"\xff\xff\xff\xff"),
        (0x0112, 5, 2**31, b"\xff\xff\xff\xff"),
    ],
)
def test_broken_metadata_does_not_stop_a_readable_picture(tag, digit):
    taken = Image.fromarray(large(digit)).transpose(Image.Transpose.ROTATE_90)
    seen = read_grey(jpeg_with_tag(taken, *tag))
    assert min(difference(seen, large(digit)), difference(seen, np.asarray(taken))) < 3


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "WEBP", "TIFF", "GIF", "AVIF", "PPM"])
def test_damaged_files_are_refused_or_read_whatever_pillow_raises(kind, digit, rng):
    whole = encoded(Image.fromarray(large(digit)).convert("RGB"), kind)
    for _ in range(60):
        content = bytearray(whole[: rng.integers(1, len(whole))] if rng.random() < 0.5 else whole)
        for place in rng.integers(0, min(len(content), 300), 4):
            content[place] = rng.integers(256)
        with contextlib.suppress(ValueError):
            assert read_grey(bytes(content)).ndim == 2


def test_files_that_are_not_images_are_refused(digit):
    whole = as_png(Image.fromarray(large(digit)))
    for content, words in (
        (b"", "not a valid PNG, JPEG,"),
        (b"hello", "not a valid PNG, JPEG,"),
        (whole[: len(whole) // 2], "not a valid PNG image: it is damaged or incomplete"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "convert it to JPEG"),
        (b"\0\5\x16\7\0\2\0\0Mac OS X", "AppleDouble"),
    ):
        with pytest.raises(ValueError, match=words):
            preprocess.prepare_file(content)


def test_files_that_cannot_be_opened_are_not_called_invalid_images(tmp_path, monkeypatch, digit):
    with pytest.raises(FileNotFoundError, match="no image"):
        read_grey(tmp_path / "missing.png")
    with pytest.raises(OSError, match="File name too long"):
        read_grey(tmp_path / ("7" * 300 + ".png"))
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(FileNotFoundError, match="no image"):
        read_grey(tmp_path / "pipe.png")
    path = tmp_path / "7.png"
    path.write_bytes(as_png(Image.fromarray(large(digit))))

    def refuse(*_):
        raise PermissionError(13, "Permission denied", str(path))

    # Files that nobody may read are readable to root.
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(PermissionError, match=r"can't read .*7.png: Permission denied"):
        read_grey(path)


def test_too_large_a_picture_is_refused_before_it_is_decoded():
    # A few kilobytes each that would decode to many megapixels.
    for side in (7_100, 20_000):
        with pytest.raises(ValueError, match="million pixels; scale it down"):
            preprocess.prepare_file(as_png(Image.new("1", (side, side))))
    with pytest.raises(ValueError, match="over 50 million pixels"):
        read_grey(encoded(Image.new("L", (7_100, 7_100)), "JPEG", progressive=True))


def test_a_large_jpeg_is_decoded_at_a_fraction_of_its_size(digit):
    picture = cv2.resize(255 - large(digit), (7_200, 7_200), interpolation=cv2.INTER_LINEAR)
    assert picture.size > LARGEST_PIXELS
    content = encoded(Image.fromarray(picture), "JPEG")
    assert read_grey(content).shape == (900, 900)
    assert read_grey(content, side=1_000).shape == (1_800, 1_800)
    assert difference(preprocess.prepare_file(content).image, preprocess.prepare(255 - large(digit)).image) < 3
