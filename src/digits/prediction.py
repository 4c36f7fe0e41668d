"""From the paths on a command line to answers, one a picture, in the order of the paths."""

import glob
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from digits import preprocess
from digits.recognizer import Recognizer

BLOCK = 64


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


def describe(answer: Answer, top: int) -> str:
    """One line: the picture, its digit, and the `top` most probable digits with their probabilities."""
    ranked = np.argsort(-answer.probabilities, kind="stable")[:top]
    chances = ", ".join(f"{digit} {answer.probabilities[digit]:.1%}" for digit in ranked)
    return f"{answer.path}: {ranked[0]}  ({chances})"


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


def _prepare(path: Path) -> Answer:
    if path.is_dir():
        return Answer(path, error=f"{path}: no PNG, JPEG, BMP or WEBP image in this folder")
    try:
        return Answer(path, preprocess.prepare_file(path))
    except (ValueError, OSError) as error:
        return Answer(path, error=str(error))
