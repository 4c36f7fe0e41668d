"""Turn any picture of a handwritten digit into an image like MNIST's.

In: an image file, its bytes, or a greyscale picture, uint8 (height, width), of any size and polarity. Out: the image,
uint8 (28, 28), ink 255 on paper 0, and what was done to the picture; from `detection`, every digit on the picture.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from digits.preprocess.candidates import faint_strokes, possible_inks
from digits.preprocess.decoding import FORMATS, SUFFIXES, WORKING_SIDE, at_working_size, read_grey
from digits.preprocess.frame import set_in_frame
from digits.preprocess.ink import ALL_STEPS, LEAST_CONTRAST, EnabledSteps, Ink
from digits.preprocess.page import find_page
from digits.preprocess.parts import digit_parts, doubtful_parts


@dataclass(frozen=True)
class Prepared:
    """A preprocessed digit.

    Attributes:
        image: uint8 (28, 28), ink 255 on paper 0.
        steps: what was done to the picture, in order, one phrase per step.
        reading: how the picture was read, in a few words, if not in the likeliest way; otherwise empty.
        turn: "clockwise" or "counterclockwise" if the picture was turned by 90°, "upside down" if by 180°, else empty.
    """

    image: np.ndarray
    steps: tuple[str, ...]
    reading: str = ""
    turn: str = ""


def prepare_file(source: Path | bytes) -> Prepared:
    """Read an image file, or its bytes, and preprocess it: `read_grey`, then `prepare`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file isn't a valid image, is too large to decode safely, or is blank.
    """
    name = "the image" if isinstance(source, bytes) else str(source)
    try:
        grey = read_grey(source)
        return prepare(grey)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def prepare(grey: np.ndarray, enabled: EnabledSteps = ALL_STEPS) -> Prepared:
    """Find the digit on a greyscale picture, uint8 (height, width), then scale and centre it as MNIST does.

    Args:
        enabled: the steps to run.

    Raises:
        ValueError: the picture is blank.
    """
    return next(readings(grey, enabled))


def readings(grey: np.ndarray, enabled: EnabledSteps = ALL_STEPS) -> Iterator[Prepared]:
    """Preprocess a greyscale picture as `prepare` does, then in any other plausible ways.

    These are the other polarity of a tightly cropped digit, other choices of detached or faint strokes, and the picture
    as a whole where a sheet of paper was found on it.

    Raises:
        ValueError: the picture is blank.
    """
    if enabled.frame and (page := find_page(grey)):
        height, width = page.grey.shape
        yield from _readings(
            page.grey, enabled, f"rectified the sheet of paper on the picture to {width}×{height} pixels"
        )
        yield replace(next(_readings(grey, enabled)), reading="read as a picture without a sheet of paper")
    else:
        yield from _readings(grey, enabled)


def _readings(grey: np.ndarray, enabled: EnabledSteps, *before: str) -> Iterator[Prepared]:
    steps = list(before)
    if (smaller := at_working_size(grey)) is not grey:
        grey = smaller
        steps.append(f"scaled the picture down to {grey.shape[1]}×{grey.shape[0]}")
    likeliest = None
    for ink, reading in possible_inks(grey, enabled):
        parts, dropped = digit_parts(ink.mask, ink.darkness) if enabled.parts else (ink.mask, 0)
        removed = f"removed {dropped} {'part' if dropped == 1 else 'parts'} that didn't belong to the digit"
        yield _in_frame(ink, parts, [*steps, *ink.steps, *[removed] * bool(dropped)], enabled, reading)
        likeliest = likeliest or (ink, parts)
    if likeliest and enabled.parts:
        ink, parts = likeliest
        for other, reading in doubtful_parts(faint_strokes(ink), parts, ink.darkness):
            yield _in_frame(ink, other, [*steps, *ink.steps], enabled, reading)


def _in_frame(ink: Ink, mask: np.ndarray, steps: list[str], enabled: EnabledSteps, reading: str) -> Prepared:
    left, top, width, height = cv2.boundingRect(mask)
    found = f"found ink in {width}×{height} pixels at ({left + ink.origin[0]}, {top + ink.origin[1]})"
    image, setting = set_in_frame(ink.darkness, mask, enabled.stroke)
    return Prepared(image, (*steps, found, *setting), reading)
