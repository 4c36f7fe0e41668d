"""Digits to train, choose and test on: MNIST in its fixed split, or other labelled digits in its place."""

from pathlib import Path

import numpy as np

from digits import paths
from digits.data import folders, labelled
from digits.data.digits import OFFICIAL_SHA256, Digits, Splits
from digits.data.mnist import SPLIT_SEED, cached_splits, idx_sha256, load_mnist, split_mnist

# Of each class, the share that is held out for validation and, where there are no test digits, for the test.
HELD_OUT = 0.1
LEAST_A_CLASS = 3


def load_splits(source: Path | str = paths.DATA) -> Splits:
    """Load MNIST, verified and split, from the cache if there is one; or other labelled digits.

    Args:
        source: a folder with `mnist.npz`, or what `load_labelled` takes. Its train, validation and test parts are used
            where its names tell them; else every tenth digit of a class, at random, is held out for each. MNIST itself
            in another form, as in its four IDX files, is split as from `mnist.npz`.

    Raises:
        FileNotFoundError: there are no labelled digits, or the file of the split is missing.
        ValueError: a file is damaged or isn't the expected one, or there are too few digits.
    """
    source = Path(source)
    if not _holds_other_digits(source):
        return cached_splits(source)[0]
    try:
        found = labelled.find_parts(source)
    except ValueError as error:
        if source.is_file():
            raise
        raise FileNotFoundError(f"{error}; for MNIST, `git checkout data/mnist.npz` restores its file") from error
    read = {part: labelled.read_part(found, part) for part in found.parts}
    parts = {part: digits for part, (digits, _) in read.items()}
    arrays = {f"x_{part}".rstrip("_"): digits.images for part, digits in parts.items()}
    arrays |= {f"y_{part}".rstrip("_"): digits.labels for part, digits in parts.items()}
    hashes = {name: idx_sha256(array) for name, array in arrays.items()}
    if hashes == OFFICIAL_SHA256:
        return split_mnist(arrays)
    train = parts.get("train", parts.get(""))
    if train is None:
        raise ValueError(f"expected digits to train on in {source}, got only {' and '.join(parts)} digits")
    rng = np.random.default_rng(SPLIT_SEED)
    for part in ("test", "validation"):
        if part not in parts:
            train, parts[part] = _hold_out(train, rng, source)
    validation, test = parts["validation"], parts["test"]
    lines = [
        *(line for _, line in read.values()),
        *(f"passed over: {each}" for each in folders.summary(found.passed_over)),
        f"{len(train):,} to train on, {len(validation):,} for validation, {len(test):,} for the test",
    ]
    return Splits(train, validation, test, source.resolve().name, hashes, tuple(lines))


def load_test(source: Path | str = paths.DATA) -> Digits:
    """Load and verify only the 10,000 test digits of MNIST; or load those of other digits, as `load_splits` does."""
    source = Path(source)
    if _holds_other_digits(source):
        return load_splits(source).test
    arrays = load_mnist(source, ("x_test", "y_test"))
    return Digits(arrays["x_test"], arrays["y_test"])


def load_labelled_or_test(source: Path | None, data_dir: Path) -> tuple[Digits, str, list[str]]:
    """`read_labelled`, or `load_test` from `data_dir` if `source` is None; the second item names the source."""
    if source:
        digits, lines = labelled.read_labelled(source)
        return digits, str(source), lines
    if _holds_other_digits(data_dir):
        splits = load_splits(data_dir)
        return splits.test, f"{splits.name}'s test digits", list(splits.how_read)
    return load_test(data_dir), "MNIST's test digits", []


def _holds_other_digits(source: Path) -> bool:
    return source.exists() and not (source / "mnist.npz").is_file()


def _hold_out(digits: Digits, rng: np.random.Generator, source: Path) -> tuple[Digits, Digits]:
    """The digits that are left, in their order, and those held out, of each class alike."""
    held_out = np.zeros(len(digits), bool)
    for digit in range(10):
        members = np.flatnonzero(digits.labels == digit)
        if len(members) < LEAST_A_CLASS:
            raise ValueError(
                f"expected at least {LEAST_A_CLASS} training digits of each class in {source}, got {len(members)} "
                f"of {digit}"
            )
        held_out[rng.choice(members, max(1, round(HELD_OUT * len(members))), replace=False)] = True
    return digits.at(~held_out), digits.at(held_out)
