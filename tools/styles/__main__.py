"""Draw `data/styles.npz`, digits in other styles than MNIST's: `python -m tools.styles`, or `make styles`.

Every source has random numbers of its own, so that changing one leaves the others as they are.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import cv2
import numpy as np
from sklearn.datasets import load_digits
from tqdm import tqdm

from digits import data, files
from digits.data import styles
from digits.data.mnist import VALIDATION_SIZE
from tools import writer_split
from tools.styles import edits, fonts, forms, pen

SEED = 26
# Digits of each class of a font, of a form and of an edit, to train on and held out. There are more 1s with a flag:
# networks that were trained on MNIST alone fail most on these.
FONT, PLAYWRITE, FONT_HELD_OUT = 16, 8, 8
FORM, FORM_HELD_OUT = 350, 50
EDIT, FLAGS, EDIT_HELD_OUT = 700, 1500, 100
HELD_OUT_FORMS = ("0-slashed", "1-flag", "6-short", "9-open")
# Held-out digits of the training forms are drawn by a hand that wobbles, slants and turns more.
OTHER_HAND = {"wobble": 0.03, "slant": 0.2, "turn": 7}
# Where the form that each writer filled begins in scikit-learn's 1,797 digits, by its first thirty digits.
BLOCKS = (0, 130, 256, 386, 516, 646, 776, 905, 1029, 1157, 1287, 1415, 1541, 1667)
HELD_OUT_BLOCKS = (2, 6, 10)
AMBIGUOUS_LETTERS = "OoDQIlijJZzSsBbGqgyYT"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
SYMBOLS = "+-=%?&#@*$<~"
HELD_OUT_DRAWINGS = ("star", "spiral", "moon", "loops")


class Part(NamedTuple):
    """Digits from one source; `labels` is one for all or (N,), `mnist_index` -1 or (N,)."""

    source: str
    held_out: bool
    images: np.ndarray
    labels: int | np.ndarray
    mnist_index: int | np.ndarray = -1


class Drawings(NamedTuple):
    """Drawings that are no digits, all of the same thing."""

    source: str
    held_out: bool
    images: np.ndarray
    family: str
    name: str


def main() -> None:
    """Draw everything and save it."""
    parts = [*font_digits(), *written_digits(), *form_digits(), *edited_digits()]
    drawings = [each for each in non_digits() if len(each.images)]
    digit_arrays: dict[str, Any] = {name: _column(parts, name) for name in Part._fields}
    other_arrays: dict[str, Any] = {f"nondigit_{name}": _column(drawings, name) for name in Drawings._fields}
    digit_arrays["labels"] = digit_arrays["labels"].astype(np.uint8)
    digit_arrays["mnist_index"] = digit_arrays["mnist_index"].astype(np.int32)
    with files.replacing(styles.PATH) as temporary:
        np.savez_compressed(temporary, **digit_arrays, **other_arrays)
    print(
        f"{styles.PATH}: {len(digit_arrays['labels']):,} digits, {len(other_arrays['nondigit_name']):,} other drawings"
    )
    found = files.sha256(styles.PATH)
    print(
        "as before"
        if found == styles.STYLES_SHA256
        else f"new: set STYLES_SHA256 in src/digits/data/styles.py to {found}"
    )


def font_digits() -> Iterator[Part]:
    """Digits of handwriting fonts."""
    for name, held_out in tqdm(fonts.FONTS.items(), "fonts"):
        count = FONT_HELD_OUT if held_out else PLAYWRITE if name.startswith("playwrite") else FONT
        source = f"font/{name}"
        for digit in range(10):
            yield Part(source, held_out, fonts.drawn(name, str(digit), count, _rng(source, digit)), digit)


def written_digits() -> Iterator[Part]:
    """scikit-learn's 8×8 digits by people in Turkey, enlarged; a source is a form that one of them filled."""
    loaded: Any = load_digits()
    ends = (*BLOCKS[1:], len(loaded.target))
    for block, (start, end) in enumerate(zip(BLOCKS, ends, strict=True)):
        # Two pixels of paper around each, so that curves at its edge stay round.
        padded = np.pad(loaded.images[start:end] * 255 / 16, ((0, 0), (2, 2), (2, 2))).astype(np.uint8)
        large = [cv2.resize(each, None, fx=10, fy=10, interpolation=cv2.INTER_CUBIC) for each in padded]
        images = np.array([pen.in_frame(each) for each in large])
        yield Part(f"written/{block:02d}", block in HELD_OUT_BLOCKS, images, loaded.target[start:end])


def form_digits() -> Iterator[Part]:
    """Digits drawn with strokes in the forms of `forms.txt`."""
    drawings = {name: form for name, form in forms.read_forms().items() if name[0].isdigit()}
    for name, drawing in tqdm(drawings.items(), "forms"):
        source, digit = f"form/{name}", int(name[0])
        if name in HELD_OUT_FORMS:
            yield Part(source, True, pen.images(drawing, 2 * FORM_HELD_OUT, _rng(source)), digit)
            continue
        yield Part(source, False, pen.images(drawing, FORM, _rng(source)), digit)
        yield Part(source, True, pen.images(drawing, FORM_HELD_OUT, _rng(source, "other hand"), **OTHER_HAND), digit)


def edited_digits() -> Iterator[Part]:
    """MNIST's digits with a stroke added or cut; those held out are by the writers of the validation digits."""
    mnist = data.load_mnist(names=("x_train", "y_train"))
    split = np.load(writer_split.PATH)
    parts = {True: np.sort(split[-VALIDATION_SIZE:]), False: np.sort(split[:-VALIDATION_SIZE])}
    for name in tqdm(edits.EDITS, "edits"):
        source, digit = f"edit/{name}", int(name[0])
        for held_out, indices in parts.items():
            count = EDIT_HELD_OUT if held_out else FLAGS if name == "1-flag" else EDIT
            of_class = indices[mnist["y_train"][indices] == digit]
            images, used = edits.edited(name, mnist["x_train"][of_class], of_class, count, _rng(source, str(held_out)))
            yield Part(source, held_out, images, digit, used)


def non_digits() -> Iterator[Drawings]:
    """Letters and symbols of the fonts, and shapes, scribbles and taps."""
    for font, held_out in tqdm(fonts.FONTS.items(), "letters"):
        source = f"font/{font}"
        for character in LETTERS + SYMBOLS:
            ambiguous = character in AMBIGUOUS_LETTERS
            family = "symbol" if character in SYMBOLS else "letter-ambiguous" if ambiguous else "letter"
            yield Drawings(
                source, held_out, fonts.drawn(font, character, 2, _rng(source, character)), family, character
            )
    shapes = {name: form for name, form in forms.read_forms().items() if not name[0].isdigit()}
    for family, count, drawings in (("shape", 60, shapes), ("scribble", 120, forms.SCRIBBLES)):
        for name, drawing in drawings.items():
            images = pen.images(drawing, count, _rng(family, name), slant=0.08)
            yield Drawings("pen", name in HELD_OUT_DRAWINGS, images, family, name)
    for held_out, count in ((False, 160), (True, 80)):
        yield Drawings("pen", held_out, forms.taps(count, _rng("tap", str(held_out))), "tap", "tap")


def _rng(*names: str | int) -> np.random.Generator:
    return np.random.default_rng([SEED, *" ".join(map(str, names)).encode()])


def _column(parts: list[Part] | list[Drawings], name: str) -> np.ndarray:
    """A field of all parts, with a value for each image."""
    if name == "images":
        return np.concatenate([part.images for part in parts])
    return np.concatenate([np.broadcast_to(getattr(part, name), len(part.images)) for part in parts])


if __name__ == "__main__":
    main()
