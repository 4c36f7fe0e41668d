"""Turn any picture of a handwritten digit into an image like MNIST's.

In: an image file, its bytes, or a greyscale picture, uint8 (height, width), of any size and polarity. Out: the image,
uint8 (28, 28), ink 255 on paper 0, and what was done to the picture; from `detection`, every digit on the picture.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from digits.preprocess.decoding import FORMATS, SUFFIXES, WORKING_SIDE, at_working_size, read_grey
from digits.preprocess.frame import set_in_frame
from digits.preprocess.ink import ALL_STEPS, LEAST_CONTRAST, EnabledSteps, find_ink
from digits.preprocess.page import find_page
from digits.preprocess.parts import digit_parts


@dataclass(frozen=True)
class Prepared:
    """A preprocessed digit.

    Attributes:
        image: uint8 (28, 28), ink 255 on paper 0.
        steps: what was done to the picture, in order, one phrase per step.
        turn: "clockwise" or "counterclockwise" if the picture was turned by 90°, "upside down" if by 180°, else empty.
    """

    image: np.ndarray
    steps: tuple[str, ...]
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
    steps = []
    if enabled.frame and (page := find_page(grey)):
        grey = page.grey
        steps.append(f"rectified the sheet of paper on the picture to {grey.shape[1]}×{grey.shape[0]} pixels")
    if (smaller := at_working_size(grey)) is not grey:
        grey = smaller
        steps.append(f"scaled the picture down to {grey.shape[1]}×{grey.shape[0]}")
    ink = find_ink(grey, enabled)
    steps += ink.steps
    mask = ink.mask
    if enabled.parts:
        mask, dropped = digit_parts(mask, ink.darkness)
        if dropped:
            steps.append(f"removed {dropped} {'part' if dropped == 1 else 'parts'} that didn't belong to the digit")
    left, top, width, height = cv2.boundingRect(mask)
    steps.append(f"found ink in {width}×{height} pixels at ({left + ink.origin[0]}, {top + ink.origin[1]})")
    image, setting = set_in_frame(ink.darkness, mask, enabled.stroke)
    return Prepared(image, (*steps, *setting))
