"""Write what is shown of answers: the model's inputs, plots, pictures with boxes around digits, and test digits."""

from collections.abc import Sequence
from itertools import chain, count
from pathlib import Path

import numpy as np

from digits.checkpoints.recognizer import Recognizer
from digits.data import Digits
from digits.files import output_folder, write_png
from digits.recognition import batch
from digits.recognition.batch import Answer, Number
from digits.recognition.verdict import judge


def picture_paths(target: str | None, default: Path, files: Sequence[Path]) -> dict[Path, Path]:
    """Where a picture for each of `files` goes: to `target` if that names a PNG, else to a folder; nowhere for None.

    Raises:
        ValueError: several pictures would go to one file, or one would replace a picture that is read.
    """
    if target is None:
        return {}
    folder = Path(target) if target else default
    paths: dict[Path, Path] = {}
    if folder.suffix.lower() == ".png":
        if len(files) > 1:
            raise ValueError(f"{folder} is one file, and there are several images: name a folder")
        paths = dict.fromkeys(files, folder)
    taken: set[str] = set()
    for file in () if paths else dict.fromkeys(files):
        # The folders are part of the name, so a/1.png and b/1.png differ; a file's name has at most 255 bytes.
        parts = [part for part in (*file.parent.parts, file.stem) if part not in (file.anchor, "..")]
        stem = "-".join(parts).encode()[-200:].decode(errors="ignore")
        name = next(name for name in chain([stem], (f"{stem}-{n}" for n in count(2))) if name.lower() not in taken)
        taken.add(name.lower())
        paths[file] = folder / f"{name}.png"
    if overwritten := {path.resolve() for path in paths.values()} & {file.resolve() for file in files}:
        raise ValueError(f"{overwritten.pop()} is one of the pictures to read; choose another path to write to")
    return paths


def write(answer: Answer | Number, kind: str, path: Path) -> tuple[str, str]:
    """Write a picture of an answer without an error as PNG.

    Args:
        kind: "input", the 28×28 image that the model was given, or "plot", the probabilities; of a number, both are the
            picture with boxes around its digits.

    Returns:
        What it shows, in a word, and for an input the steps that led to it, otherwise nothing.
    """
    target = output_folder(path.parent) / path.name
    if isinstance(answer, Number):
        assert answer.picture is not None, "a picture with an error isn't written"
        write_png(target, batch.mark_digits(answer.picture, answer.digits, answer.verdicts))
        return "boxes", ""
    assert answer.prepared, "an answer with an error isn't written"
    assert answer.verdict
    if kind == "input":
        write_png(target, answer.prepared.image)
        return kind, "; ".join(answer.prepared.steps)
    from digits.recognition.plots import probability_bars
    from digits.reporting.figures import save_figure

    title = f"{answer.path.name}: {answer.verdict.answer}, {answer.verdict.certainty}"
    save_figure(probability_bars(answer.prepared.image, answer.verdict.probabilities, title), target)
    return kind, ""


def write_samples(recogniser: Recognizer, test: Digits, count: int, seed: int, folder: Path) -> str:
    """Recognise random test digits, write them as a grid with the answers as titles, and say how many are right."""
    from digits.reporting import figures

    digits = test.at(np.random.default_rng(seed).choice(len(test), min(count, len(test)), replace=False))
    verdicts = judge(recogniser, digits.images)
    answers = np.array([each.answer for each in verdicts])
    # Two lines, as a title is as wide as a digit.
    titles = [f"{each.answer}, {each.certainty.replace(', ', chr(10))}" for each in verdicts]
    columns, wrong = min(3, len(digits)), answers != digits.labels
    grid = figures.digit_grid(digits.images, titles, columns=columns, wrong=wrong)
    path = figures.save_figure(grid, output_folder(folder) / "samples.png")
    return f"{np.sum(~wrong)} of {len(digits)} right: {path}"
