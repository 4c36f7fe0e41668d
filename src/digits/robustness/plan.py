"""Plan a corruption sweep: its checkpoints, digits, corruptions, severities and seed."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

import numpy as np

from digits import errors, files
from digits.checkpoints import cards, recognizer
from digits.corruptions import SEVERITIES, VERSION, Corruption
from digits.data import Digits

CLEAN = "clean"
# Libraries whose versions may affect a pixel or a probability.
DECIDING_LIBRARIES = ("numpy", "onnxruntime", "opencv-python-headless")


@dataclass(frozen=True)
class Model:
    """A checkpoint that each worker opens by itself.

    Attributes:
        name: of the model.
        path: of the file to load.
        sha256: of the file.
    """

    name: str
    path: str
    sha256: str


@lru_cache
def open_model(model: Model) -> recognizer.Recognizer:
    """Open a checkpoint, once per process, on whatever machine that runs, and without a warning in each.

    Raises:
        ValueError: the file differs from that of the plan, or can't be opened.
    """
    if files.sha256(Path(model.path)) != model.sha256:
        raise ValueError(f"{model.path} differs from the file that the sweep was planned with (SHA-256)")
    return recognizer.load(model.path, warn=False)


@dataclass(frozen=True)
class Plan:
    """A plan determines a sweep's results.

    Attributes:
        digits: the clean images and their labels.
        indices: int (N,), the digits' indices in their data set, which determine their random corruption.
        source: description of the digits.
        models: the checkpoints.
        corruptions: the corruptions to apply.
        severities: in ascending order, from 1 to 5.
        seed: of all corruptions.

    Raises:
        ValueError: there are no digits, or the severities aren't ascending from 1 to 5.
    """

    digits: Digits
    indices: np.ndarray
    source: str
    models: tuple[Model, ...]
    corruptions: tuple[Corruption, ...]
    severities: tuple[int, ...]
    seed: int

    def __post_init__(self):
        if not len(self.digits):
            raise ValueError("expected at least one image, got none")
        if not self.severities or not set(self.severities) <= set(SEVERITIES):
            raise ValueError(f"severities must be from 1 to 5, got {' '.join(map(str, self.severities)) or 'none'}")
        if sorted(set(self.severities)) != list(self.severities):
            raise ValueError(f"severities must be in ascending order, got {' '.join(map(str, self.severities))}")

    def cells(self) -> list[tuple[str, int]]:
        """Every pair of a corruption's name and a severity, beginning with the clean images."""
        corrupted = [(corruption.name, severity) for corruption in self.corruptions for severity in self.severities]
        return [(CLEAN, 0), *corrupted]

    def manifest(self) -> dict:
        """What the cells in one folder must have in common: all but the levels, those of the corruptions in both."""
        return {
            "seed": self.seed,
            "source": self.source,
            "images": len(self.digits),
            "clean_images_sha256": hashlib.sha256(self.digits.images.tobytes()).hexdigest(),
            "labels_sha256": hashlib.sha256(self.digits.labels.tobytes()).hexdigest(),
            "indices_sha256": hashlib.sha256(self.indices.astype("<i8").tobytes()).hexdigest(),
            # In the order of the answers in a cell.
            "models": [[model.name, model.sha256] for model in self.models],
            "levels": {corruption.name: list(map(str, corruption.levels)) for corruption in self.corruptions},
            "versions": {library: version(library) for library in DECIDING_LIBRARIES} | {"corruptions": str(VERSION)},
        }


def default_models(models_dir: Path) -> list[str]:
    """Names of the models with a card, except local ones, and ensembles, which take as long as all their members."""

    def is_excepted(name: str) -> bool:
        try:
            card = cards.read(models_dir / f"{name}.json")
        except ValueError:
            # `find_models` reports a damaged card.
            return False
        return "members" in card or cards.is_local(card)

    return [name for name in cards.available(models_dir) if not is_excepted(name)]


def find_models(names: Sequence[str], models_dir: Path) -> tuple[list[Model], list[str]]:
    """Find checkpoints by name or path and try to open each.

    Returns:
        The models, and a line of text for each checkpoint that can't be loaded.

    Raises:
        ValueError: no checkpoint can be loaded, or two have the same name.
    """
    models, problems = [], []
    for name in names:
        try:
            path = recognizer.find(name, models_dir).absolute()
            model = Model(path.stem, str(path), files.sha256(path))
            recognizer.say_note(open_model(model))
            models.append(model)
        except (ValueError, OSError) as error:
            reason = str(error).replace(str(Path(name).absolute()), name)
            reason = reason.replace(str(models_dir.absolute()), str(models_dir))
            problems.append(f"skipped {name}: {errors.in_one_line(reason)}")
    if not models:
        raise ValueError("; ".join(problems) or f"no models in {models_dir}; train one")
    recognizer.check_names([model.name for model in models])
    return models, problems
