"""One person's digits as fine-tuning takes them: what it can learn from, and what to look at first."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from digits import paths
from digits.checkpoints.recognizer import Recognizer
from digits.data import Digits, folders
from digits.data.folders import SAMPLE
from digits.handwriting import collection
from digits.recognition.verdict import judge
from digits.reporting.words import a_digit, percent

LEAST_A_CLASS = 3
# A class with so many times fewer digits than another one is said to have few.
UNBALANCED = 3


@dataclass(frozen=True)
class Handwriting:
    """One person's digits.

    Attributes:
        folder: where they come from.
        digits: those to learn from.
        names: their files, such as "3/a.png".
        skipped: files that were left out, and why.
    """

    folder: Path
    digits: Digits
    names: tuple[str, ...]
    skipped: dict[str, str]

    @property
    def counts(self) -> np.ndarray:
        """How many there are of each digit, (10,)."""
        return np.bincount(self.digits.labels, minlength=10)

    @property
    def sha256(self) -> str:
        """Of the images with their labels, whatever their order."""
        pairs = zip(self.digits.labels, self.digits.images, strict=True)
        return hashlib.sha256(b"".join(sorted(bytes([label]) + image.tobytes() for label, image in pairs))).hexdigest()


def load(folder: Path = paths.MY_DIGITS) -> Handwriting:
    """Read the collection in a folder, or the sample in it while it is empty.

    Files that aren't images, and pictures that came twice, are left out.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: there are fewer than three digits of a class.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder {folder}; collect digits with collect_digits.py or in the app")
    if not collection.entries(folder) and (folder / SAMPLE).is_dir():
        folder = folder / SAMPLE
    images, labels, names = [], [], []
    passed_over = folders.scan_labelled(folder).passed_over
    skipped = {name: reason for name, reason in passed_over.items() if not name.startswith(f"{SAMPLE}/")}
    kept: dict[bytes, str] = {}
    for entry in collection.entries(folder):
        name = entry.path.relative_to(folder).as_posix()
        if entry.image is None:
            skipped[name] = entry.problem
        elif (content := entry.image.tobytes()) in kept:
            skipped[name] = f"looks exactly like {kept[content]}"
        else:
            kept[content] = name
            images.append(entry.image)
            labels.append(entry.digit)
            names.append(name)
    counts = np.bincount(labels, minlength=10) if labels else np.zeros(10, int)
    if few := [f"{digit} ({counts[digit]})" for digit in range(10) if counts[digit] < LEAST_A_CLASS]:
        raise ValueError(
            f"expected at least {LEAST_A_CLASS} pictures of every digit in {folder}, there are too few of "
            f"{', '.join(few)}; ten of each are a good start: draw them in the app, or fill in a sheet "
            f"(collect_digits.py --sheet){folders.said(skipped)}"
        )
    return Handwriting(folder, Digits(np.stack(images), np.array(labels, np.uint8)), tuple(names), skipped)


def describe(mine: Handwriting) -> list[str]:
    """What there is, in two lines, and what isn't as it should be, a line each."""
    counts = mine.counts
    lines = [f"{len(mine.digits)} digits in {mine.folder}"]
    if mine.folder.name == SAMPLE:
        lines[0] += ": the sample of a simulated writer, because there are none of your own yet"
    lines.append("of each: " + ", ".join(f"{digit}: {count}" for digit, count in enumerate(counts)))
    if few := [str(digit) for digit in range(10) if UNBALANCED * counts[digit] < counts.max()]:
        lines.append(f"few of {', '.join(few)} compared with the others: write some more")
    return lines + [f"left out: {line}" for line in folders.summary(mine.skipped)]


def suspects(mine: Handwriting, recogniser: Recognizer) -> dict[str, str]:
    """Files that a model is sure show another digit than their label, and what it says; they should be looked at.

    None of the sample's: nobody can correct what somebody else wrote.
    """
    if mine.folder.name == SAMPLE:
        return {}
    verdicts = judge(recogniser, mine.digits.images)
    return {
        name: f"{recogniser.name} is {percent(verdict.confidence)} sure that it is {a_digit(verdict.answer)}"
        for name, label, verdict in zip(mine.names, mine.digits.labels, verdicts, strict=True)
        if verdict.is_sure and verdict.answer != label
    }
