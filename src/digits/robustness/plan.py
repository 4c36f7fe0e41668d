"""What a corruption sweep is to do: which checkpoints, on which digits, under which damage, from which seed."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

import numpy as np

from digits import files
from digits.checkpoints import cards, recognizer
from digits.corruptions import CORRUPTIONS, SEVERITIES, Corruption
from digits.data import Digits

CLEAN = "clean"
# Libraries whose version may change a pixel or a probability.
DECIDING_LIBRARIES = ("numpy", "onnxruntime", "opencv-python-headless")


@dataclass(frozen=True)
class Model:
    """A checkpoint that a worker opens for itself: its name, the path to load and the SHA-256 of the file."""

    name: str
    path: str
    sha256: str


@lru_cache
def open_model(model: Model) -> recognizer.Recognizer:
    """The recogniser of this very file, opened once a process, wherever that runs.

    Raises:
        ValueError: the file on this machine is another one, or can't be opened.
    """
    if files.sha256(Path(model.path)) != model.sha256:
        raise ValueError(f"{model.path} is not the same file everywhere (SHA-256 differs)")
    return recognizer.load(model.path)


@dataclass(frozen=True)
class Plan:
    """What a sweep is to do; two sweeps of one plan give the same cells.

    Attributes:
        digits: the clean images and their labels.
        indices: (N,) their places in the set that they come from, which decide their damage.
        source: what the digits are, in words.
        models: the checkpoints.
        corruptions: the kinds of damage.
        severities: ascending, from 1 to 5.
        seed: of all damage.
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
            raise ValueError("there are no images to damage")
        if not self.severities or not set(self.severities) <= set(SEVERITIES):
            raise ValueError(f"severities must be from 1 to 5, got {' '.join(map(str, self.severities)) or 'none'}")
        if sorted(set(self.severities)) != list(self.severities):
            raise ValueError(f"severities must ascend, got {' '.join(map(str, self.severities))}")

    def cells(self) -> list[tuple[str, int]]:
        """Every (corruption, severity), the clean images first."""
        damaged = [(corruption.name, severity) for corruption in self.corruptions for severity in self.severities]
        return [(CLEAN, 0), *damaged]

    def manifest(self) -> dict:
        """What must be the same for cells to be kept together."""
        return {
            "seed": self.seed,
            "source": self.source,
            "images": len(self.digits),
            "clean_images_sha256": hashlib.sha256(self.digits.images).hexdigest(),
            "labels_sha256": hashlib.sha256(self.digits.labels).hexdigest(),
            "indices_sha256": hashlib.sha256(self.indices.astype("<i8")).hexdigest(),
            # In their order, which is that of the answers in a cell.
            "models": [[model.name, model.sha256] for model in self.models],
            "levels": {corruption.name: list(map(str, corruption.levels)) for corruption in CORRUPTIONS.values()},
            "versions": {library: version(library) for library in DECIDING_LIBRARIES},
        }


def usual_models(models_dir: Path) -> list[str]:
    """Names of the models with a card but ensembles, which take as long as all their members together."""

    def is_ensemble(name: str) -> bool:
        try:
            return "members" in cards.read(models_dir / f"{name}.json")
        except ValueError:
            # A broken card is for `find_models` to tell of.
            return False

    return [name for name in cards.available(models_dir) if not is_ensemble(name)]


def find_models(names: Sequence[str], models_dir: Path) -> tuple[list[Model], list[str]]:
    """Find checkpoints by name or path and open each; what is wrong with those that fail comes as lines of text.

    Raises:
        ValueError: none can be loaded, or two have the same name.
    """
    models, problems = [], []
    for name in names:
        try:
            path = recognizer.find(name, models_dir).absolute()
            model = Model(path.stem, str(path), files.sha256(path))
            open_model(model)
            models.append(model)
        except (ValueError, OSError) as error:
            problems.append(f"{name} left out: {' '.join(str(error).split())}")
    if not models:
        raise ValueError("; ".join(problems) or f"no models in {models_dir}: train one")
    recognizer.check_names([model.name for model in models])
    return models, problems
