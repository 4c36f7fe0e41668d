"""What a corruption sweep is to do: which checkpoints, on which digits, under which damage, from which seed."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

import numpy as np

from digits import cards, paths, recognizer
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
    if paths.sha256(Path(model.path)) != model.sha256:
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
            model = Model(path.stem, str(path), paths.sha256(path))
            open_model(model)
            models.append(model)
        except (ValueError, OSError) as error:
            problems.append(f"{name} left out: {' '.join(str(error).split())}")
    if not models:
        raise ValueError("; ".join(problems) or f"no models in {models_dir}: train one")
    recognizer.check_names([model.name for model in models])
    return models, problems


def evenly_spaced(digits: Digits, count: int) -> tuple[Digits, np.ndarray]:
    """`count` digits from all over the set, with their indices.

    MNIST's first 5,000 test digits are easier than its last (its authors' page says so), so the first ones won't do.
    """
    if count < 1:
        raise ValueError(f"the number of digits must be at least 1, got {count}")
    indices = np.linspace(0, len(digits) - 1, min(count, len(digits))).round().astype(int)
    return Digits(digits.images[indices], digits.labels[indices]), indices


def damage(
    images: np.ndarray, corruption: str, severity: int, seed: int, indices: Sequence[int] | None = None
) -> np.ndarray:
    """The images as this seed damages them, uint8 (N, 28, 28); image i depends on its index alone."""
    if severity == 0:
        return images.copy()
    return CORRUPTIONS[corruption](images, severity, np.random.default_rng([seed, *corruption.encode()]), indices)
