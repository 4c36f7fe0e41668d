"""From the paths on a command line to verdicts, one for each picture or each digit on it, in the order of the paths."""

import glob
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from digits import preprocess
from digits.checkpoints.recognizer import Recognizer
from digits.data import folders
from digits.preprocess.segmentation import SIDE, FoundDigit, find_digits
from digits.recognition.verdict import Verdict, judge

BLOCK = 64
NO_IMAGE = f"no {preprocess.FORMATS} image in this folder"
NEW_ROW = "\n"
# RGB of the boxes around digits, and around those to look at.
BLUE, ORANGE = (31, 95, 196), (190, 110, 0)


@dataclass(frozen=True)
class Answer:
    """The verdict on a picture of one digit, or why the picture couldn't be read.

    Attributes:
        path: the picture.
        prepared: the image that the model was given; None if the picture couldn't be read.
        verdict: None if the picture couldn't be read.
        error: why it couldn't be read; empty if it could.
    """

    path: Path
    prepared: preprocess.Prepared | None = None
    verdict: Verdict | None = None
    error: str = ""

    def as_json(self) -> dict:
        """`path`, `prediction`, `confidence`, `verdict` and `probabilities`; or `path` and `error`."""
        return {"path": str(self.path)} | (self.verdict.as_json() if self.verdict else {"error": self.error})


@dataclass(frozen=True)
class Number:
    """The verdicts on a picture of several digits, or why the picture couldn't be read.

    Attributes:
        path: the picture.
        picture: uint8 (height, width), at the size at which digits were looked for; None if it couldn't be read.
        digits: those found on it, in reading order.
        verdicts: one for each digit.
        error: why it couldn't be read; empty if it could.
    """

    path: Path
    picture: np.ndarray | None = None
    digits: Sequence[FoundDigit] = ()
    verdicts: Sequence[Verdict] = ()
    error: str = ""

    def as_json(self) -> dict:
        """`path`, `number` (rows as lines) and `digits`, with box, verdict, row and doubt; or `path` and `error`."""
        if self.error:
            return {"path": str(self.path), "error": self.error}
        digits = [
            {"box": list(digit.box)} | verdict.as_json() | {"row": digit.row, "doubt": digit.doubt}
            for digit, verdict in zip(self.digits, self.verdicts, strict=True)
        ]
        return {"path": str(self.path), "number": as_text(self.digits, self.verdicts), "digits": digits}


def as_text(digits: Sequence[FoundDigit], verdicts: Sequence[Verdict]) -> str:
    """The answers in reading order, one line for each row."""
    rows: dict[int, str] = {}
    for digit, verdict in zip(digits, verdicts, strict=True):
        rows[digit.row] = rows.get(digit.row, "") + str(verdict.answer)
    return NEW_ROW.join(rows.values())


def mark_digits(picture: np.ndarray, digits: Sequence[FoundDigit], verdicts: Sequence[Verdict]) -> np.ndarray:
    """A picture with a box around each digit and its answer above; orange with "?" where the model isn't sure.

    Small pictures are enlarged and large ones reduced, so that the answers can be read.

    Args:
        picture: uint8 (height, width).
        digits: at least one.
        verdicts: one for each digit.

    Returns:
        uint8 RGB (height, width, 3).
    """
    from PIL import Image, ImageDraw, ImageFont

    scale = SIDE / max(picture.shape)
    height, width = picture.shape
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    marked = Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC).convert("RGB")
    boxes = np.array([digit.box for digit in digits]) * scale
    letters = round(min(34, max(13, 0.45 * float(np.median(boxes[:, 3])))))
    font = ImageFont.load_default(letters)
    # Room for the answers above the uppermost boxes.
    room = max(0, round(letters * 1.3 - boxes[:, 1].min()))
    canvas = Image.new("RGB", (size[0], size[1] + room), marked.getpixel((0, 0)))
    canvas.paste(marked, (0, room))
    pen = ImageDraw.Draw(canvas)
    line = max(2, letters // 11)
    for (left, top, width, height), digit, verdict in zip(boxes, digits, verdicts, strict=True):
        is_doubtful = bool(digit.doubt) or not verdict.is_sure
        colour = ORANGE if is_doubtful else BLUE
        left, top, right, bottom = left - line, top + room - line, left + width + line, top + room + height + line
        pen.rectangle((left, top, right, bottom), outline=colour, width=line)
        text = f"{verdict.answer}{'?' if is_doubtful else ''}"
        label = (left, top - 1.15 * letters, left + 0.75 * letters * (0.35 + 0.75 * len(text)), top)
        pen.rectangle(label, fill=colour)
        pen.text(((label[0] + label[2]) / 2, (label[1] + label[3]) / 2), text, "white", font, "mm")
    return np.asarray(canvas)


def describe(answer: Answer | Number, top: int) -> str:
    """The verdict on a readable picture in one line, with the `top` most probable digits.

    A number has one line for all of it, then one for each digit with its answer, certainty, box and doubt.
    """
    if isinstance(answer, Number):
        return _describe_number(answer)
    assert answer.verdict, "a picture that couldn't be read has no verdict"
    return f"{answer.path}: {answer.verdict.describe(top)}"


def _describe_number(number: Number) -> str:
    lines = [f"{number.path}: {as_text(number.digits, number.verdicts).replace(NEW_ROW, ' ')}"]
    for digit, verdict in zip(number.digits, number.verdicts, strict=True):
        left, top, width, height = digit.box
        line = f"  {verdict.answer}  {verdict.certainty:>8}  {width}×{height} pixels at ({left}, {top})"
        lines.append(line + (f", doubtful: {digit.doubt}" if digit.doubt else ""))
    return "\n".join(lines)


def find_images(arguments: Iterable[str]) -> Iterator[Path]:
    """The files given by paths, folders (searched recursively for image files) and globs, in order.

    A name without a file is passed on, so that it is reported at its place in the output.
    """
    for argument in arguments:
        path = Path(argument)
        if path.is_dir():
            found = folders.scan(path, recursive=True).images
        elif path.exists():
            found = [path]
        else:
            found = [Path(name) for name in glob.glob(argument, recursive=True) if Path(name).is_file()]
        yield from sorted(found) or [path]


def answer_all(paths: Sequence[Path], recogniser: Recognizer) -> Iterator[Answer]:
    """Read and recognise each picture; one that can't be read becomes an answer with an error."""
    for start in range(0, len(paths), BLOCK):
        answers = [_prepare(path) for path in paths[start : start + BLOCK]]
        images = [answer.prepared.image for answer in answers if answer.prepared]
        verdicts = iter(judge(recogniser, np.stack(images)) if images else ())
        for answer in answers:
            yield replace(answer, verdict=next(verdicts)) if answer.prepared else answer


def read_numbers(paths: Sequence[Path], recogniser: Recognizer) -> Iterator[Number]:
    """Find and recognise all digits of each picture; one that can't be read becomes a number with an error."""
    for path in paths:
        if path.is_dir():
            yield Number(path, error=f"{path}: {NO_IMAGE}")
            continue
        try:
            picture = preprocess.read_grey(path, SIDE)
            digits = find_digits(picture)
        except ValueError as error:
            yield Number(path, error=f"{path}: {error}")
        except OSError as error:
            yield Number(path, error=str(error))
        else:
            images = np.stack([digit.prepared.image for digit in digits])
            yield Number(path, picture, digits, judge(recogniser, images))


def _prepare(path: Path) -> Answer:
    if path.is_dir():
        return Answer(path, error=f"{path}: {NO_IMAGE}")
    try:
        return Answer(path, preprocess.prepare_file(path))
    except (ValueError, OSError) as error:
        return Answer(path, error=str(error))
