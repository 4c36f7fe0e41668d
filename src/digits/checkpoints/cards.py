"""The card beside a checkpoint: what the model is, how it was trained and scored, and the hashes of its files."""

import json
import os
import platform
import reprlib
import subprocess
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, NotRequired

from pydantic import AfterValidator, Field, TypeAdapter
from pydantic_core import from_json
from typing_extensions import TypedDict

from digits import errors, files, paths

ROUNDING = 1e-9
INPUT_CONTRACT = {"shape": [28, 28], "dtype": "uint8", "range": [0, 255], "polarity": "ink 255 on paper 0"}
LIBRARIES = ("tensorflow", "tensorflow-cpu", "keras", "onnxruntime", "scikit-learn", "numpy", "opencv-python-headless")


# Larger numbers are no counts, and Python can't divide or print all of them.
Count = Annotated[int, Field(ge=0, lt=2**63)]
Positive = Annotated[int, Field(gt=0, lt=2**63)]
Measure = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Fraction = Annotated[Measure, Field(le=1)]
TenClasses = Field(min_length=10, max_length=10)


class File(TypedDict):
    """A file beside the card."""

    file: str
    sha256: str


class Accuracy(TypedDict):
    """Correct answers out of `n`, with a 95 % interval."""

    n: Positive
    correct: Count
    accuracy: Fraction
    interval: Annotated[list[Fraction], Field(min_length=2, max_length=2)]


def _check_accuracy(score: Accuracy) -> Accuracy:
    low, high = score["interval"]
    if not low - ROUNDING <= score["accuracy"] <= high + ROUNDING or score["correct"] > score["n"]:
        raise ValueError(f"expected an accuracy within its interval, got {score['accuracy']} and {score['interval']}")
    return score


Score = Annotated[Accuracy, AfterValidator(_check_accuracy)]


class ModelScore(Accuracy):
    """An accuracy, with the negative log-likelihood and the calibration error of the probabilities."""

    # Rounding can put a perfect model slightly below 0.
    nll: Annotated[float, Field(allow_inf_nan=False)]
    ece: Fraction


class Scores(TypedDict):
    """Scores on MNIST's validation digits and, unless they were left alone, on its test digits."""

    validation: Annotated[ModelScore, AfterValidator(_check_accuracy)]
    test: NotRequired[Annotated[ModelScore, AfterValidator(_check_accuracy)]]


class History(TypedDict):
    """One value per epoch."""

    val_accuracy: list[Fraction]


class Training(TypedDict):
    """How long training took and, for networks, its history."""

    seconds: Measure
    history: NotRequired[History]


class RecordedRecipe(TypedDict):
    """What decides the result; networks list the largest change by each augmentation family."""

    augmentation_strengths: NotRequired[dict[str, Measure]]


class Sure(TypedDict):
    """The confidence from which a model is sure, and what `promises.to_make` adds to it."""

    threshold: Fraction
    error_rate: NotRequired[Fraction]
    least_probability: NotRequired[Fraction]


class Base(TypedDict):
    """What a personal model was fine-tuned from."""

    name: Annotated[str, Field(pattern=r"^[^/\\]+$")]
    sha256: str


class Classes(TypedDict):
    """Correct answers by class."""

    before: Annotated[list[Count], TenClasses]
    after: Annotated[list[Count], TenClasses]


class OwnDigits(TypedDict):
    """The handwriting that a personal model was trained on, and its scores on digits held out from it."""

    folder: str
    sha256: str
    counts: Annotated[list[Positive], TenClasses]
    before: Score
    after: Score
    right_by_class: Classes


class Card(TypedDict):
    """The fields that the project reads; a card may have more."""

    name: Annotated[str, AfterValidator(lambda name: files.check_name(name, "a checkpoint's name"))]
    description: str
    parameters: Count
    recipe: RecordedRecipe
    training: Training
    checkpoint: File
    export: File
    scores: Scores
    sure: Sure
    temperature: NotRequired[Annotated[float, Field(gt=0, allow_inf_nan=False)]]
    members: NotRequired[list[dict]]
    base: NotRequired[Base]
    own_digits: NotRequired[OwnDigits]


def _check_card(card: Card) -> Card:
    for kind, suffixes in (("checkpoint", (".keras", ".skops")), ("export", (".onnx", ".npz"))):
        expected = [card["name"] + suffix for suffix in suffixes]
        if card[kind]["file"] not in expected:
            raise ValueError(f"expected {' or '.join(expected)} as {kind}.file, got {reprlib.repr(card[kind]['file'])}")
    if "own_digits" in card and not ("base" in card and "test" in card["scores"]):
        raise ValueError("expected base and scores.test beside own_digits")
    return card


CARD = TypeAdapter(Annotated[Card, AfterValidator(_check_card)])


def read(path: Path) -> dict:
    """Read a card.

    Raises:
        FileNotFoundError: there is none at `path`.
        ValueError: it isn't a card.
    """
    try:
        return _checked(path.read_bytes(), path)
    except FileNotFoundError:
        raise FileNotFoundError(f"no card {path}") from None


def write(path: Path, card: dict) -> None:
    """Write a card as JSON, atomically.

    Raises:
        ValueError: it isn't a card.
    """
    text = json.dumps(card, indent=2) + "\n"
    _checked(text, path)
    files.write_text(path, text)


def _checked(content: str | bytes, path: Path) -> dict:
    try:
        card = from_json(content)
        CARD.validate_python(card, strict=True)
        if card["name"] != path.stem:
            raise ValueError(f"expected the file's name {path.stem} as name, got {card['name']}")
    except ValueError as error:
        raise ValueError(
            f"{path} is not a model card: {errors.sentence(error)}; train the model again or restore the file"
        ) from error
    return card


def available(models_dir: Path) -> list[str]:
    """Names of the checkpoints in `models_dir` that have a card."""
    return sorted(path.stem for path in models_dir.glob("[!.]*.json"))


def is_local(card: dict) -> bool:
    """Whether git ignores a checkpoint: a personal one, or one that `make demo` trains."""
    return "base" in card or card["name"].startswith("demo_")


def verify(card: dict, folder: Path) -> None:
    """Check that the checkpoint and its export are the files that the card describes.

    Raises:
        FileNotFoundError: a file that the card names is missing.
        ValueError: a file differs.
    """
    for kind in ("checkpoint", "export"):
        path = folder / card[kind]["file"]
        if not path.is_file():
            raise FileNotFoundError(f"no {path}, which its card names; train the model again or restore the file")
        if files.sha256(path) != card[kind]["sha256"]:
            raise ValueError(f"{path} is not the file that its card describes (SHA-256 differs); restore both together")


def file_entry(path: Path) -> dict:
    """A card's entry for a file: its name, SHA-256 and size in bytes."""
    return {"file": path.name, "sha256": files.sha256(path), "bytes": path.stat().st_size}


def duration(seconds: float) -> str:
    """A training time as tables show it, such as `42 s` or `5 min`."""
    if seconds < 1:
        return "under 1 s"
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def circumstances() -> dict:
    """What a checkpoint was trained with: device, library versions and commit."""
    # The environment may limit how many cores TensorFlow uses.
    allowed = os.environ.get("TF_NUM_INTRAOP_THREADS", "0")
    cores = f"{f'{allowed} of ' if allowed != '0' else ''}{os.cpu_count()} CPU cores"
    versions = {"python": platform.python_version()}
    for library in LIBRARIES:
        with suppress(PackageNotFoundError):
            versions[library] = version(library)
    device = f"{cores}, {platform.system()} {platform.machine()}"
    return {"device": device, "versions": versions, "commit": _commit()}


def _commit() -> str | None:
    """The commit of the code, with `+changes` where the working tree differs from it; None outside a checkout."""
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--abbrev=40", "--dirty=+changes", "--exclude=*"],
            cwd=paths.ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return described.stdout.strip()
