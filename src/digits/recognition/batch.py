"""From the paths on a command line to verdicts, one for each picture or each digit on it, in the order of the paths."""

import glob
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from digits import preprocess
from digits.checkpoints.recognizer import Recognizer
from digits.data import folders
from digits.errors import in_one_line, printable
from digits.preprocess.detection import LARGEST_SIDE, SIDE, find_digits
from digits.preprocess.segmentation import FoundDigit
from digits.recognition import familiarity
from digits.recognition.picture import BAR, TURNS, UPSIDE_DOWN, as_turned, explained, judge_looks, look_at
from digits.recognition.verdict import Verdict, judge

BLOCK = 64
NO_IMAGE = f"no {preprocess.FORMATS} image in this folder"
NEW_ROW = "\n"
# A picture of several digits is read in other turns if less than this share of them are sure. It is turned if more are
# then, with at least so many digits other than 1, and if they are this many times as close to the digits. Of 30
# upright pages of six MNIST digits this turned none; it turned 28 on either side and 22 upside down, all rightly.
SURE_SHARE, LEAST_SIDEWAYS, LEAST_UPSIDE_DOWN, CLOSER = 0.8, 2, 4, 1.2
# RGB of the boxes around digits, and around those to look at.
BLUE, ORANGE = (31, 95, 196), (190, 110, 0)

Read = TypeVar("Read")


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
        """`path`, the verdict's fields, `turned` and `reading`; or `path` and `error`."""
        if not self.verdict or not self.prepared:
            return {"path": str(self.path), "error": self.error}
        account = {"turned": self.prepared.turn, "reading": self.prepared.reading}
        return {"path": str(self.path)} | self.verdict.as_json() | account


@dataclass(frozen=True)
class Number:
    """The verdicts on a picture of several digits, or why the picture couldn't be read.

    Attributes:
        path: the picture.
        picture: uint8 (height, width), as digits were looked for on it, turned upright; None if it couldn't be read.
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
        """`path`, `number` (rows as lines), `turned` and `digits` with box, verdict, row, doubt; or `path`, `error`."""
        if self.error:
            return {"path": str(self.path), "error": self.error}
        digits = [
            {"box": list(digit.box)} | verdict.as_json() | {"row": digit.row, "doubt": digit.doubt}
            for digit, verdict in zip(self.digits, self.verdicts, strict=True)
        ]
        number = as_text(self.digits, self.verdicts)
        return {"path": str(self.path), "number": number, "turned": self.turn, "digits": digits}

    @property
    def turn(self) -> str:
        """How the picture was turned, as in `Prepared`."""
        return self.digits[0].prepared.turn if self.digits else ""


def as_text(digits: Sequence[FoundDigit], verdicts: Sequence[Verdict]) -> str:
    """The answers in reading order, one line for each row; "?" where something looks like no digit."""
    rows: dict[int, str] = {}
    for digit, verdict in zip(digits, verdicts, strict=True):
        rows[digit.row] = rows.get(digit.row, "") + verdict.symbol
    return NEW_ROW.join(rows.values())


def without_marks(digits: Sequence[FoundDigit], verdicts: Sequence[Verdict]) -> list[Verdict]:
    """The verdicts on what was found on a picture, where a mark that can't be a digit looks like none."""
    return [
        verdict if digit.is_digit else replace(verdict, is_familiar=False)
        for digit, verdict in zip(digits, verdicts, strict=True)
    ]


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
        text = f"{verdict.symbol}{'?' if is_doubtful and verdict.is_familiar else ''}"
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
    assert answer.prepared
    return f"{printable(str(answer.path))}: {answer.verdict.describe(top)}{_reading(answer.prepared)}"


def _reading(prepared: preprocess.Prepared) -> str:
    return f"; {prepared.reading}" if prepared.reading else ""


def _describe_number(number: Number) -> str:
    read = as_text(number.digits, number.verdicts).replace(NEW_ROW, " ")
    lines = [f"{printable(str(number.path))}: {read}{_reading(number.digits[0].prepared)}"]
    for digit, verdict in zip(number.digits, number.verdicts, strict=True):
        left, top, width, height = digit.box
        line = f"  {verdict.symbol}  {verdict.certainty:>8}  {width}×{height} pixels at ({left}, {top})"
        lines.append(line + (f", doubtful: {digit.doubt}" if digit.doubt else ""))
    return "\n".join(lines)


def find_images(arguments: Iterable[str]) -> Iterator[Path]:
    """The files given by paths, folders (searched recursively for image files) and globs, in order.

    A name without a file is passed on, so that it is reported at its place in the output.
    """
    for argument in arguments:
        try:
            found = _found(argument)
        except OSError:
            # The system refuses to look up a name that is too long.
            found = []
        yield from sorted(found) or [Path(argument)]


def _found(argument: str) -> list[Path]:
    path = Path(argument)
    if path.is_dir():
        return folders.scan(path, recursive=True).images
    if path.exists():
        return [path]
    return [Path(name) for name in glob.glob(argument, recursive=True) if Path(name).is_file()]


def passed_over(arguments: Iterable[str]) -> list[str]:
    """What `find_images` leaves out of folders, in a line for each reason with the first of the names."""
    reasons: dict[str, str] = {}
    for scan in (folders.scan(Path(argument), recursive=True) for argument in arguments):
        reasons |= {str(path): "the name begins with a dot" for path in scan.hidden}
        reasons |= {str(path): reason for path, reason in folders.why_passed_over(scan.others).items()}
    return [f"passed over {line}" for line in folders.summary(reasons)]


def answer_all(paths: Sequence[Path], recogniser: Recognizer) -> Iterator[Answer]:
    """Read and recognise each picture; one that can't be read becomes an answer with an error."""
    for start in range(0, len(paths), BLOCK):
        looks = [
            (path, *_read(path, lambda path: look_at(preprocess.read_grey(path)))) for path in paths[start:][:BLOCK]
        ]
        judged = iter(judge_looks(recogniser, [look for _, look, _ in looks if look]))
        for path, look, error in looks:
            yield Answer(path, *next(judged)) if look else Answer(path, error=error)


def read_numbers(paths: Sequence[Path], recogniser: Recognizer) -> Iterator[Number]:
    """Find and recognise all digits of each picture; one that can't be read becomes a number with an error."""
    for path in paths:
        found, error = _read(path, _find)
        if found is None:
            yield Number(path, error=error)
        else:
            yield turned_upright(recogniser, _judged(recogniser, path, *found))


def turned_upright(recogniser: Recognizer, number: Number) -> Number:
    """The number on the picture as it is, or turned by 90° or 180° if its digits are clear only then.

    Raises:
        FileNotFoundError: the training digits to compare with aren't in the data folder.
    """
    share, distance, _ = _clearness(number)
    if number.picture is None or share >= SURE_SHARE or not familiarity.can_judge(recogniser):
        return number
    clear = []
    for turn, direction in {**TURNS, 2: UPSIDE_DOWN}.items():
        picture = np.ascontiguousarray(np.rot90(number.picture, turn))
        try:
            found = find_digits(picture)
        except ValueError:
            continue
        found = [replace(each, prepared=explained(as_turned(each.prepared, direction))) for each in found]
        turned = _judged(recogniser, number.path, picture, found)
        turned_share, turned_distance, count = _clearness(turned)
        is_clear = turned_share >= SURE_SHARE and distance >= CLOSER * turned_distance
        if is_clear and count >= (LEAST_UPSIDE_DOWN if direction == UPSIDE_DOWN else LEAST_SIDEWAYS):
            clear.append((turned_distance, turned))
    return min(clear, key=lambda each: each[0])[1] if clear else number


def _clearness(number: Number) -> tuple[float, float, int]:
    """The share of digits that are sure, their mean distance from digits, and how many sure ones aren't 1."""
    verdicts = [verdict for digit, verdict in zip(number.digits, number.verdicts, strict=True) if digit.is_digit]
    if not verdicts:
        return 0, 0, 0
    sure = [verdict for verdict in verdicts if verdict.is_sure]
    distance = float(np.mean([verdict.distance for verdict in verdicts]))
    return len(sure) / len(verdicts), distance, sum(verdict.answer != BAR for verdict in sure)


def _judged(recogniser: Recognizer, path: Path, picture: np.ndarray, digits: Sequence[FoundDigit]) -> Number:
    verdicts = judge(recogniser, np.stack([digit.prepared.image for digit in digits]))
    return Number(path, picture, digits, without_marks(digits, verdicts))


def _find(path: Path) -> tuple[np.ndarray, list[FoundDigit]]:
    picture = preprocess.read_grey(path, LARGEST_SIDE)
    return picture, find_digits(picture)


def _read(path: Path, read: Callable[[Path], Read]) -> tuple[Read | None, str]:
    """What `read` makes of a picture, and an empty string; or None and why it can't be read."""
    try:
        if path.is_dir():
            raise ValueError(NO_IMAGE)
        return read(path), ""
    except ValueError as error:
        return None, in_one_line(f"{path}: {error}")
    except OSError as error:
        # Also of names that are too long, which the system refuses to look up.
        return None, in_one_line(error if error.strerror is None else f"{path}: {error.strerror}")
