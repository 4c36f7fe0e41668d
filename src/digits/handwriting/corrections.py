"""A person's corrections: images that a model misread, kept with their labels among the digits for fine-tuning.

In: the image that the model saw, and what it really is. Out: a picture `my_digits/DIGIT/corrected-NAME.png`, exactly
that image, dark on white. Its name tells it apart from other pictures, so there is no list that could disagree.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from digits import files, paths, preprocess
from digits.data import Digits
from digits.handwriting import collection
from digits.images import SIDE, check_images
from digits.reporting import thumbnails

PREFIX = "corrected-"


@dataclass(frozen=True)
class Corrections:
    """The corrections in a collection.

    Attributes:
        digits: the images with their labels.
        skipped: files that can't be read, such as "4/corrected-1.png", and why.
    """

    digits: Digits
    skipped: dict[str, str]


def keep(image: np.ndarray, digit: int, folder: Path = paths.MY_DIGITS) -> Path:
    """Keep an image, uint8 (28, 28), as an example of `digit`, in place of an earlier correction of the same image.

    Raises:
        ValueError: as `collection.save` does.
    """
    check_images(image[None])
    with files.locked(folder, "--digits-dir", wait=collection.CHANGING):
        earlier = find(image, folder)
        if earlier is None or digit not in range(10):
            return collection.save(thumbnails.on_paper(image), digit, folder, PREFIX)
        return earlier.replace(files.output_folder(folder / f"{digit}") / earlier.name)


def find(image: np.ndarray, folder: Path = paths.MY_DIGITS) -> Path | None:
    """The file that keeps the correction of this very image; its folder is named after the digit."""
    name = collection.name_of(thumbnails.on_paper(image), PREFIX)
    return next((path for digit in range(10) if (path := folder / f"{digit}" / name).is_file()), None)


def undo(image: np.ndarray, folder: Path = paths.MY_DIGITS) -> None:
    """Delete the correction of an image, if there is one.

    Raises:
        ValueError: another process takes too long to change the collection.
        OSError: it can't be deleted.
    """
    with files.locked(folder, "--digits-dir", wait=collection.CHANGING):
        if path := find(image, folder):
            path.unlink()


def stored(folder: Path = paths.MY_DIGITS) -> list[Path]:
    """The files of all corrections, sorted."""
    return sorted(folder.glob(f"[0-9]/{PREFIX}*.png"))


def load(pictures: list[Path]) -> Corrections:
    """Read corrections from their files; what can't be read is skipped."""
    images, labels, skipped = [np.empty((0, SIDE, SIDE), np.uint8)], [], {}
    for path in pictures:
        try:
            grey = preprocess.read_grey(path)
            # A picture of another size was put there by hand.
            image = 255 - grey if grey.shape == (SIDE, SIDE) else preprocess.prepare(grey).image
        except (ValueError, OSError) as error:
            skipped[f"{path.parent.name}/{path.name}"] = str(error)
        else:
            images.append(image[None])
            labels.append(int(path.parent.name))
    return Corrections(Digits(np.concatenate(images), np.array(labels, np.uint8)), skipped)
