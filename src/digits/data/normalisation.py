"""Turn images and labels, as data sets store them, into `Digits`, and say how they were read."""

import numpy as np

from digits.data import names
from digits.data.containers import Raw
from digits.data.digits import Digits
from digits.data.numpy_files import unreadable_as
from digits.images import SIDE

# What pixels usually range over. A set that uses less than this share of its range may have another one.
RANGES = ((0, 1), (-1, 1), (0, 255), (0, 65_535))
LEAST_SHARE = 0.25
# Rounding may leave interpolated pixels slightly outside.
ROUNDING = 1e-3
BLOCK = 5000
# At most this share of images may seem to have another polarity than the rest before that is said.
MIXED_SHARE = 0.05
# Where polarity is looked at: half the side of the centre, and the thickness of an edge.
CENTRE, EDGE = 6, 2


def normalise(raw: Raw) -> tuple[Digits, str]:
    """Labelled digits from any usual form of images and labels; also describe in words how they were read.

    Raises:
        ValueError: they aren't images of 28×28 pixels with a label each, or their form is ambiguous.
    """
    images, done = normalise_images(raw.images, raw.images_name)
    assert raw.labels is not None, "what has no labels is passed over"
    labels, read_as = normalise_labels(raw.labels, len(images), raw.labels_name)
    images, polarity = with_light_ink(images)
    return Digits(images, labels), ", ".join([raw.kind, *filter(None, (*done, read_as, polarity))])


def normalise_images(images: np.ndarray, name: str) -> tuple[np.ndarray, list[str]]:
    """Images as uint8 (N, 28, 28), in the polarity that they have, and what was done, in words.

    Args:
        images: numbers (N, 28, 28), (N, 784), or with an axis of one channel or of three equal ones; from 0 to 1, -1 to
            1, 0 to 255 or 0 to 65,535.
        name: what they are called in error messages.
    """
    got = f"got {images.dtype} {images.shape}"
    if images.dtype.kind not in "buif" or not len(np.atleast_1d(images)):
        raise ValueError(f"expected numbers (N, 28, 28) as {name}, {got}")
    done = []
    shape = images.shape[1:]
    if shape == (SIDE * SIDE,):
        images = images.reshape(-1, SIDE, SIDE)
        done.append("rows of 784 pixels")
    elif len(shape) == 3 and sorted(shape)[1:] == [SIDE, SIDE] and min(shape) in (1, 3):
        channels = np.moveaxis(images, 1 + shape.index(min(shape)), 0)
        if any(not np.array_equal(channels[0], other) for other in channels[1:]):
            raise ValueError(f"expected grey images as {name}, {got} of colour")
        images = channels[0]
        done.append("one channel" if len(channels) == 1 else "three equal channels")
    if images.shape[1:] != (SIDE, SIDE):
        raise ValueError(
            f"expected images of 28×28 pixels, (N, 28, 28) or (N, 784), as {name}, {got}; those of another size can be "
            "read, and are scaled, as image files in folders 0 to 9"
        )
    if images.dtype.kind == "f" and not np.isfinite(images).all():
        raise ValueError(f"expected finite numbers as {name}, {got} with NaN or infinity")
    low, high = float(images.min()), float(images.max())
    fitting = [
        (least, most)
        for least, most in RANGES
        if least - ROUNDING <= low and high <= most + ROUNDING and max(abs(low), high) >= LEAST_SHARE * most
    ]
    if low == high or not fitting:
        raise ValueError(
            f"expected pixels from 0 to 1 or from 0 to 255 as {name}, {got} from {low:g} to {high:g}; undo what "
            "standardised them, or scale them"
        )
    least, most = fitting[0]
    if (least, most) != (0, 255):
        done.append(f"pixels from {least} to {most:,}")
    if images.dtype == np.uint8 and most == 255:
        return np.ascontiguousarray(images), done
    scaled = np.empty(images.shape, np.uint8)
    for start in range(0, len(images), BLOCK):
        block = images[start : start + BLOCK].astype(np.float64)
        scaled[start : start + BLOCK] = np.clip((block - least) * (255 / (most - least)), 0, 255).round()
    return scaled, done


def normalise_labels(labels: np.ndarray, count: int, name: str) -> tuple[np.ndarray, str]:
    """Labels as uint8 (count,) from 0 to 9, and what they were, in words, if it was something else.

    Args:
        labels: whole numbers or text (N,), (N, 1) or (1, N), or one-hot (N, 10).
        name: what they are called in error messages.
    """
    problem = f"expected {count:,} labels from 0 to 9 as {name}, got {labels.dtype} {labels.shape}"
    read_as = ""
    if labels.shape == (count, 10) and labels.dtype.kind in "buif":
        is_one = labels == 1
        if not (is_one.sum(axis=1) == 1).all() or np.count_nonzero(labels) != count:
            raise ValueError(f"{problem} that isn't one-hot")
        return is_one.argmax(axis=1).astype(np.uint8), "one-hot labels"
    if labels.ndim == 2 and 1 in labels.shape:
        labels = labels.reshape(-1)
        read_as = "labels in a column"
    if labels.shape != (count,) or labels.dtype.kind not in "uifSU":
        raise ValueError(problem)
    if labels.dtype.kind in "SU":
        # In a damaged file, text may consist of numbers that aren't characters.
        with unreadable_as(problem):
            found, places = np.unique(labels, return_inverse=True)
            texts = [text.decode(errors="replace") if isinstance(text, bytes) else str(text) for text in found]
            digits = [names.digit_of_label(text) for text in texts]
        if None in digits:
            raise ValueError(f"{problem}, such as {texts[digits.index(None)][:20]!r}")
        return np.array(digits, np.uint8)[places], "labels in words" if any(map(str.isalpha, texts)) else read_as
    if not np.isin(labels, range(10)).all():
        raise ValueError(f"{problem} from {labels.min():g} to {labels.max():g}")
    return labels.astype(np.uint8), read_as


def with_light_ink(images: np.ndarray) -> tuple[np.ndarray, str]:
    """Images, uint8 (N, 28, 28), inverted if their ink is darker than the paper, and what was found, if anything.

    Paper is what is at the middle of each side, ink is what is at the centre, on the average of all images: each
    corruption leaves that order, except stripes, which invert only two of the sides.
    """
    middle = slice(SIDE // 2 - CENTRE, SIDE // 2 + CENTRE)
    centre = images[:, middle, middle].mean(axis=(1, 2))
    edges = [turned[:, edge, middle] for turned in (images, images.mT) for edge in (slice(EDGE), slice(-EDGE, None))]
    sides = np.stack([edge.mean(axis=(1, 2)) for edge in edges])
    dark, light = (sides > centre).all(axis=0).mean(), (sides < centre).all(axis=0).mean()
    if min(dark, light) > MIXED_SHARE:
        return images, f"of both polarities ({dark:.0%} dark ink on light paper): make all ink light on dark paper"
    if (sides.mean(axis=1) > centre.mean()).all():
        return 255 - images, "dark ink on light paper, inverted"
    return images, ""
