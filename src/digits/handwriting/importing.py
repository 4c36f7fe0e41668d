"""From photos of filled-in sheets and folders of pictures to labelled digits, reviewed before they are collected."""

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from digits import preprocess
from digits.checkpoints.recognizer import Recognizer
from digits.data import folders
from digits.errors import in_one_line, printable
from digits.files import output_folder
from digits.handwriting import collection, sheet
from digits.recognition.verdict import judge

INK, GREY, RULE, PAPER = (27, 31, 36), (110, 118, 128), (218, 221, 225), (250, 250, 248)
GOOD, DOUBTFUL = (143, 170, 199), (203, 82, 0)
# Of the contact sheet, in pixels: its width, what is above and left of the digits, a tile (a small one where there are
# many), a row without any, the gap to the next, and a line under it.
WIDTH, HEADER, LABELS = 1520, 96, 90
TILE, SMALL_TILE, MANY, EMPTY, GAP, CAPTION = 128, 50, 600, 60, 14, 15


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
        except OSError as error:
            skipped.append(in_one_line(error))
            continue
        except ValueError as error:
            skipped.append(in_one_line(f"{photo}: {error}"))
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


def contact_sheet(candidates: Sequence[Candidate], title: str) -> np.ndarray:
    """A picture for people of all candidates in rows by digit, the doubtful ones marked, uint8 RGB (height, width, 3).

    Every candidate has a digit.
    """
    tile = TILE if len(candidates) <= MANY else SMALL_TILE
    columns = (WIDTH - LABELS) // (tile + GAP)
    lines = []
    for digit in range(10):
        group = [candidate for candidate in candidates if candidate.digit == digit]
        lines += [(digit, len(group), group[:columns])]
        lines += [(None, 0, group[start : start + columns]) for start in range(columns, len(group), columns)]
    # A small tile has no room for words.
    captions = [[_caption(candidate) if tile == TILE else [] for candidate in line] for _, _, line in lines]
    heights = [
        (tile if line else EMPTY) + 2 * GAP + CAPTION * max(map(len, texts), default=0)
        for (_, _, line), texts in zip(lines, captions, strict=True)
    ]
    page = Image.new("RGB", (WIDTH, HEADER + sum(heights) + GAP), PAPER)
    pen = ImageDraw.Draw(page)
    _write_header(pen, candidates, title)
    top = HEADER
    for (digit, count, line), texts, height in zip(lines, captions, heights, strict=True):
        if digit is not None:
            pen.line([(GAP, top), (WIDTH - GAP, top)], RULE)
            pen.text((LABELS / 2, top + GAP), str(digit), INK, ImageFont.load_default(0.36 * TILE), "mt")
            pen.text((LABELS / 2, top + GAP + 0.4 * TILE), f"{count or 'none'}", GREY, _font(), "mt")
        for column, (candidate, text) in enumerate(zip(line, texts, strict=True)):
            left, upper = LABELS + column * (tile + GAP), top + GAP
            colour = DOUBTFUL if candidate.doubt else GOOD
            # As light as its paper.
            paper = int(np.median(candidate.picture[:, [0, -1]]))
            pen.rectangle(
                [(left, upper), (left + tile - 1, upper + tile - 1)], (paper,) * 3, colour, 4 if candidate.doubt else 2
            )
            picture = _fitted(candidate.picture, tile - 12)
            page.paste(picture, (left + (tile - picture.width) // 2, upper + (tile - picture.height) // 2))
            for place, words in enumerate(text):
                pen.text((left, upper + tile + 4 + CAPTION * place), words, DOUBTFUL if place else INK, _font())
        top += height
    return np.asarray(page)


def counted(count: int) -> str:
    """So many digits, in words."""
    return f"{count:,} digit" if count == 1 else f"{count:,} digits"


def _write_header(pen: ImageDraw.ImageDraw, candidates: Sequence[Candidate], title: str) -> None:
    doubtful = sum(bool(candidate.doubt) for candidate in candidates)
    pen.text((GAP, GAP + 4), textwrap.shorten(title, 90), INK, ImageFont.load_default(30))
    left = GAP
    for colour, text in (
        (GOOD, f"{counted(len(candidates) - doubtful)} as labelled"),
        (DOUBTFUL, f"{doubtful} doubtful: saved only with --keep-doubtful"),
    ):
        pen.rectangle([(left, 62), (left + 18, 80)], "white", colour, 4)
        pen.text((left + 27, 71), text, INK, ImageFont.load_default(19), "lm")
        left += 60 + round(pen.textlength(text, ImageFont.load_default(19)))


def _caption(candidate: Candidate) -> list[str]:
    """Lines under a doubtful candidate: where it comes from, and why it is doubtful."""
    if not candidate.doubt:
        return []
    source = candidate.source if len(candidate.source) <= 19 else f"{candidate.source[:18]}…"
    return [source, *textwrap.wrap(candidate.doubt, 20)]


def _fitted(picture: np.ndarray, side: int) -> Image.Image:
    """A picture enlarged or reduced so that it just fits a square."""
    scale = side / max(picture.shape)
    size = tuple(max(1, round(length * scale)) for length in picture.shape[::-1])
    return Image.fromarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC))


def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(CAPTION - 2)
