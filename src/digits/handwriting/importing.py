"""From photos of filled-in sheets and folders of pictures to labelled digits, reviewed before they are collected."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from digits import preprocess
from digits.checkpoints.recognizer import Recognizer
from digits.data import folders
from digits.errors import in_one_line, printable
from digits.files import output_folder
from digits.handwriting import collection, sheet
from digits.recognition.verdict import judge


@dataclass(frozen=True)
class Candidate:
    """A picture that may be added to the collection.

    Attributes:
        source: where it comes from, in words: a file, and a box if the file is a photo of a sheet.
        picture: uint8 (height, width).
        image: the digit as recognisers see it, uint8 (28, 28).
        digit: its label; None if it has none yet.
        doubt: why a person should look at it; empty if there is no reason.
    """

    source: str
    picture: np.ndarray
    image: np.ndarray
    digit: int | None
    doubt: str = ""


@dataclass(frozen=True)
class Found:
    """What photos or a folder contain: candidates, and a line for each file that was left out, with the reason."""

    candidates: list[Candidate]
    skipped: list[str]


@dataclass(frozen=True)
class Kept:
    """How many candidates were new, how many were in the collection already, and why each other one was refused."""

    new: int
    known: int
    refused: list[str]


def from_photos(photos: Iterable[Path]) -> Found:
    """Everything that is written in the boxes of photographed sheets, row by row.

    Raises:
        ValueError: none of the photos can be read as a sheet.
    """
    candidates, skipped = [], []
    for photo in photos:
        try:
            boxes = sheet.read(preprocess.read_grey(photo, sheet.PHOTO_SIDE))
        except (OSError, ValueError) as error:
            skipped.append(in_one_line(error if isinstance(error, OSError) else f"{photo}: {error}"))
            continue
        for box in boxes:
            if box.state != "empty":
                source = f"{box.digit} in box {box.column + 1} of {printable(photo.name)}"
                image = preprocess.prepare(box.picture).image
                candidates.append(Candidate(source, box.picture, image, box.digit, box.reason))
    if skipped and not candidates:
        raise ValueError("; ".join(skipped))
    return Found(candidates, skipped)


def from_folder(folder: Path, guess: bool) -> Found:
    """The pictures in a folder and in those inside it, labelled by their names as `folders.scan_labelled` does it.

    Args:
        guess: take those without a digit in their names, too.

    Raises:
        ValueError: there is no such folder, no picture to take, or more of them than a collection holds.
    """
    if not folder.is_dir():
        raise ValueError(f"no folder {folder}")
    scan = folders.scan_labelled(folder)
    labelled = [(picture.path, picture.digit) for picture in scan.pictures]
    guessed = [(path, None) for path in scan.unlabelled] if guess else []
    if (count := len(labelled) + len(guessed)) > collection.LARGEST_COUNT:
        raise ValueError(f"{folder} holds {count:,} images; import at most {collection.LARGEST_COUNT:,} at once")
    candidates, skipped = [], dict(scan.passed_over)
    for file in scan.unlabelled:
        skipped[file.relative_to(folder).as_posix()] += "; --guess lets the model read it"
    for file, digit in sorted([*labelled, *guessed], key=lambda each: each[0]):
        name = file.relative_to(folder).as_posix()
        skipped.pop(name, None)
        try:
            picture = preprocess.at_working_size(preprocess.read_grey(file))
            candidates.append(Candidate(printable(name), picture, preprocess.prepare(picture).image, digit))
        except (ValueError, OSError) as error:
            skipped[name] = str(error)
    if not candidates:
        raise ValueError(folders.refusal(folder, skipped))
    return Found(candidates, folders.summary(skipped))


def review(candidates: Sequence[Candidate], recogniser: Recognizer) -> list[Candidate]:
    """Candidates after a model's verdicts: doubtful where it is sure of another digit, labelled where none was given.

    A label that comes from the model makes a candidate doubtful, too.
    """
    if not candidates:
        return []
    verdicts = judge(recogniser, np.stack([candidate.image for candidate in candidates]))
    reviewed = []
    for candidate, verdict in zip(candidates, verdicts, strict=True):
        digit, doubts = candidate.digit, [candidate.doubt] if candidate.doubt else []
        if digit is None:
            digit = verdict.answer
            doubts.append(f"guessed, {verdict.certainty}")
        elif verdict.is_sure and verdict.answer != digit:
            doubts.append(f"read as {verdict.answer}, {verdict.headline}")
        reviewed.append(replace(candidate, digit=digit, doubt="; ".join(doubts)))
    return reviewed


def keep(candidates: Iterable[Candidate], folder: Path) -> Kept:
    """Save reviewed candidates in the collection; those that it refuses are listed, and the others saved.

    Raises:
        ValueError: the folder can't be written to.
    """
    output_folder(folder)
    known = {entry.path for entry in collection.entries(folder)}
    new, again, refused = 0, 0, []
    for candidate in candidates:
        assert candidate.digit is not None, "`review` labels every candidate"
        try:
            path = collection.save(candidate.picture, candidate.digit, folder)
        except ValueError as error:
            refused.append(in_one_line(f"{candidate.source}: {error}"))
            continue
        again += path in known
        new += path not in known
        known.add(path)
    return Kept(new, again, refused)


def describe(candidates: Sequence[Candidate]) -> str:
    """How many candidates of each digit there are, and why some are doubtful, as text; every candidate has a digit."""
    doubtful = [candidate for candidate in candidates if candidate.doubt]
    lines = ["digit    " + "".join(f"{digit:5}" for digit in range(10))]
    for name, wanted in (("found", candidates), ("doubtful", doubtful)):
        digits = [candidate.digit for candidate in wanted]
        lines.append(f"{name:9}" + "".join(f"{digits.count(digit):5}" for digit in range(10)))
    return "\n".join([*lines, *(f"doubtful: {candidate.source}: {candidate.doubt}" for candidate in doubtful)])


def counted(count: int) -> str:
    """So many digits, in words."""
    return f"{count:,} digit" if count == 1 else f"{count:,} digits"
