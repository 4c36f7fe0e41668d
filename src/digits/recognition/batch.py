"""From the paths on a command line to answers, one a picture, in the order of the paths."""

import glob
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from digits import preprocess
from digits.checkpoints.recognizer import Recognizer
from digits.preprocess.segmentation import SIDE, Found, find_digits

BLOCK = 64
NO_IMAGE = "no PNG, JPEG, BMP or WEBP image in this folder"
NEW_ROW = "\n"
# RGB of the boxes around digits, and around those that may be something else.
SURE, DOUBTFUL = (31, 95, 196), (190, 110, 0)


@dataclass(frozen=True)
class Answer:
    """What came of one picture.

    Attributes:
        path: the picture.
        prepared: what the model saw; None if the picture couldn't be read.
        probabilities: float32 (10,); None if the picture couldn't be read.
        error: why it couldn't be read; empty if it could.
    """

    path: Path
    prepared: preprocess.Prepared | None = None
    probabilities: np.ndarray | None = None
    error: str = ""

    def as_json(self) -> dict:
        """`path`, `prediction`, `confidence` and `probabilities`; or `path` and `error`."""
        if self.error:
            return {"path": str(self.path), "error": self.error}
        return {
            "path": str(self.path),
            "prediction": int(self.probabilities.argmax()),
            "confidence": float(self.probabilities.max()),
            "probabilities": [float(probability) for probability in self.probabilities],
        }


@dataclass(frozen=True)
class Number:
    """What came of one picture of several digits.

    Attributes:
        path: the picture.
        picture: uint8 (height, width), as it was looked at; None if it couldn't be read.
        digits: those found on it, in the order of reading.
        probabilities: float32 (digits, 10).
        error: why it couldn't be read; empty if it could.
    """

    path: Path
    picture: np.ndarray | None = None
    digits: Sequence[Found] = ()
    probabilities: np.ndarray | None = None
    error: str = ""

    def as_json(self) -> dict:
        """`path`, `number` (rows as lines) and `digits`, with their box, answer and row; or `path` and `error`."""
        if self.error:
            return {"path": str(self.path), "error": self.error}
        digits = [
            {
                "box": list(digit.box),
                "prediction": int(probabilities.argmax()),
                "confidence": float(probabilities.max()),
                "probabilities": [float(probability) for probability in probabilities],
                "row": digit.row,
                "doubt": digit.doubt,
            }
            for digit, probabilities in zip(self.digits, self.probabilities, strict=True)
        ]
        return {"path": str(self.path), "number": as_text(self.digits, self.probabilities), "digits": digits}


def as_text(digits: Sequence[Found], probabilities: np.ndarray) -> str:
    """The most probable answers in the order of reading, one line a row."""
    answers = probabilities.argmax(axis=1)
    rows: dict[int, str] = {}
    for digit, answer in zip(digits, answers, strict=True):
        rows[digit.row] = rows.get(digit.row, "") + str(answer)
    return NEW_ROW.join(rows.values())


def mark_digits(picture: np.ndarray, digits: Sequence[Found], probabilities: np.ndarray) -> np.ndarray:
    """A picture, uint8 (height, width), with a box around each digit and its answer above, RGB (h, w, 3).

    Small pictures are enlarged and large ones reduced, so that the answers can be read.
    """
    from PIL import Image, ImageDraw, ImageFont

    scale = SIDE / max(picture.shape)
    size = tuple(max(1, round(side * scale)) for side in picture.shape[::-1])
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
    for (left, top, width, height), digit, answer in zip(boxes, digits, probabilities.argmax(axis=1), strict=True):
        colour = DOUBTFUL if digit.doubt else SURE
        left, top, right, bottom = left - line, top + room - line, left + width + line, top + room + height + line
        pen.rectangle((left, top, right, bottom), outline=colour, width=line)
        text = f"{answer}?" if digit.doubt else str(answer)
        label = (left, top - 1.15 * letters, left + 0.75 * letters * (0.35 + 0.75 * len(text)), top)
        pen.rectangle(label, fill=colour)
        pen.text(((label[0] + label[2]) / 2, (label[1] + label[3]) / 2), text, "white", font, "mm")
    return np.asarray(canvas)


def describe(answer: Answer | Number, top: int) -> str:
    """One line: the picture, its digit, and the `top` most probable digits with their probabilities.

    Of a number: one line with all of it, then one for each digit with its answer, probability, box and doubt.
    """
    if isinstance(answer, Number):
        return _describe_number(answer)
    ranked = np.argsort(-answer.probabilities, kind="stable")[:top]
    chances = ", ".join(f"{digit} {answer.probabilities[digit]:.1%}" for digit in ranked)
    return f"{answer.path}: {ranked[0]}  ({chances})"


def _describe_number(number: Number) -> str:
    lines = [f"{number.path}: {as_text(number.digits, number.probabilities).replace(NEW_ROW, ' ')}"]
    for digit, probabilities in zip(number.digits, number.probabilities, strict=True):
        left, top, width, height = digit.box
        line = f"  {probabilities.argmax()}  {probabilities.max():6.1%}  {width}×{height} pixels at ({left}, {top})"
        lines.append(line + (f", doubtful: {digit.doubt}" if digit.doubt else ""))
    return "\n".join(lines)


def find_images(arguments: Iterable[str]) -> Iterator[Path]:
    """The files that paths, folders (read recursively, image files only) and globs stand for, in order.

    A name without a file behind it is passed on, so that it is reported where it stands.
    """
    for argument in arguments:
        path = Path(argument)
        if path.is_dir():
            found = [file for file in path.rglob("*") if file.suffix.lower() in preprocess.SUFFIXES]
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
        probabilities = iter(recogniser.predict_proba(np.stack(images)) if images else ())
        for answer in answers:
            yield replace(answer, probabilities=next(probabilities)) if answer.prepared else answer


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
            yield Number(path, picture, digits, recogniser.predict_proba(images))


def _prepare(path: Path) -> Answer:
    if path.is_dir():
        return Answer(path, error=f"{path}: {NO_IMAGE}")
    try:
        return Answer(path, preprocess.prepare_file(path))
    except (ValueError, OSError) as error:
        return Answer(path, error=str(error))
