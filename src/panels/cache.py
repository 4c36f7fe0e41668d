"""What the panels ask of the library, cached in memory so that the page answers at once.

The cache's keys are what a result was computed from, never who asked, so no session sees another's drawing.
"""

import gc
import glob
import os
import sys
import timeit
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import streamlit as st

from digits import backend, data, paths
from digits.checkpoints import cards, recognizer, strangers
from digits.checkpoints.recognizer import Recognizer
from digits.data import Digits
from digits.explanations import attribution, counterfactual
from digits.explanations.activations import Network
from digits.explanations.attribution import Attribution, ExportedModel
from digits.handwriting import corrections
from digits.handwriting.corrections import Corrections
from digits.jobs.queue import Queue
from digits.recognition import familiarity, stored
from digits.recognition.prototypes import Prototypes, can_learn, learn
from digits.recognition.verdict import Verdict, judge
from panels import page

DEFAULT_MODEL = "mnist_advanced"
# For a page that strangers can open: it takes and keeps no files of theirs and loads no TensorFlow, for small machines.
IS_PUBLIC = os.environ.get("DIGITS_PUBLIC", "") not in ("", "0")


@dataclass(frozen=True)
class Model:
    """A recogniser, and a key that changes when its files do."""

    key: str
    recogniser: Recognizer

    @property
    def name(self) -> str:
        """The checkpoint's name."""
        return self.recogniser.name


# How Streamlit tells models apart in the arguments of cached functions.
BY_KEY: dict[str | type, Callable[[Any], Any]] = {Model: attrgetter("key")}


def model_names() -> list[str]:
    """Names of the models in `models/`, the most accurate first; last those without a card, or with a damaged one."""
    # A name with a dot in front is a file that is just being written.
    found = {path.stem for path in paths.MODELS.glob("[!.]*") if path.suffix in (".json", *strangers.KINDS)}
    return sorted(found, key=lambda name: (-_test_accuracy(name), name))


def default_name(names: Sequence[str]) -> str:
    """The model that answers until another one is chosen."""
    return DEFAULT_MODEL if DEFAULT_MODEL in names else names[0]


def _test_accuracy(name: str) -> float:
    with suppress(ValueError, OSError):
        return card(name)["scores"].get("test", {}).get("accuracy", 0.0)
    return -1.0


def card(name: str) -> dict:
    """The card of a model as it is on the disk now.

    Raises:
        FileNotFoundError: it has none.
        ValueError: it is damaged.
    """
    path = paths.MODELS / f"{name}.json"
    return _read_card(path, path.stat().st_mtime_ns)


@st.cache_resource(max_entries=64, show_spinner=False)
def _read_card(path: Path, changed: int) -> dict:
    return cards.read(path)


def file_of(name: str) -> Path:
    """The file of a model by its name: what its card describes, or whatever there is of that name."""
    kinds = [".json", *strangers.KINDS]
    found = [paths.MODELS / f"{name}{kind}" for kind in kinds]
    return next((path for path in found if path.is_file()), found[0])


def open_model(name: str) -> Model:
    """The checkpoint of that name as it is on the disk now.

    Raises:
        FileNotFoundError: it is gone.
        ValueError: it, or its card, is broken.
    """
    files = sorted(paths.MODELS.glob(f"{glob.escape(name)}.*"))
    key = " ".join(f"{file.name}:{file.stat().st_mtime_ns}" for file in files)
    return Model(f"{name} {key}", _load(name, key))


@st.cache_resource(max_entries=32, show_spinner="Opening the model")
def _load(name: str, key: str) -> Recognizer:
    file = file_of(name)
    return recognizer.load(name if file.suffix == ".json" else file, paths.MODELS)


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs=BY_KEY)
def seconds_a_digit(model: Model) -> float:
    """How long a model takes for one digit on this computer."""
    blank = np.zeros((1, 28, 28), np.uint8)
    # The least of a few is what it takes when nothing else is in its way.
    return min(timeit.repeat(lambda: model.recogniser.predict_proba(blank), number=1, repeat=5))


def verdicts(model: Model, images: np.ndarray) -> list[Verdict]:
    """A model's verdicts on images, uint8 (N, 28, 28), with the visitor's corrections."""
    get_ready(model)
    return judge(model.recogniser, images, learned(model))


def corrected() -> Corrections:
    """The visitor's corrections as they are on the disk now."""
    stored = [] if IS_PUBLIC else corrections.stored(paths.MY_DIGITS)
    return _read_corrections(stored, [path.lstat().st_mtime_ns for path in stored])


@st.cache_resource(max_entries=1, show_spinner=False)
def _read_corrections(stored: list[Path], changed: list[int]) -> Corrections:
    return corrections.load(stored)


def learned(model: Model) -> Prototypes | None:
    """The visitor's corrections as a model sees them; None if there are none, or it can't tell what is alike."""
    digits = corrected().digits
    return _learn(model, digits.images, digits.labels) if len(digits) and can_learn(model.recogniser) else None


@st.cache_resource(max_entries=16, show_spinner=False, hash_funcs=BY_KEY)
def _learn(model: Model, images: np.ndarray, labels: np.ndarray) -> Prototypes:
    # With its spinner, because it may take seconds.
    _reference(model)
    return learn(model.recogniser, images, labels)


def get_ready(model: Model) -> None:
    """Compute what a model's first verdict needs, once for all sessions."""
    if familiarity.can_judge(model.recogniser):
        _reference(model)


@st.cache_resource(max_entries=8, show_spinner="Preparing the comparison with training digits", hash_funcs=BY_KEY)
def _reference(model: Model) -> familiarity.Reference:
    return familiarity.reference(model.recogniser)


@st.cache_resource(max_entries=16, show_spinner="Reading the digits", hash_funcs=BY_KEY)
def own_probabilities(model: Model, images: np.ndarray) -> np.ndarray:
    """What a model itself says of some images, not calibrated, float32 (N, 10)."""
    return model.recogniser.predict_proba(images)


def test_probabilities(model: Model) -> np.ndarray:
    """What a model itself says of MNIST's test digits, float32 (N, 10); the page shows how far it is."""
    images, place = test_digits().images, st.empty()

    def show(share: float) -> None:
        words = f"{page.literal(model.name)} is reading the {len(images):,} test digits, which is needed only once"
        place.progress(share, f"{words}: {share:.0%}")

    found = stored.probabilities(model.recogniser, images, show)
    place.empty()
    return found


@st.cache_resource(show_spinner=False)
def test_digits() -> Digits:
    """MNIST's 10,000 test digits."""
    return data.load_test()


@st.cache_resource(show_spinner=False)
def training_sample() -> Digits:
    """5,000 of the 55,000 digits that the models learned from."""
    return familiarity.training_sample()


def most_similar(model: Model, image: np.ndarray, count: int) -> Digits:
    """The digits of the training sample most similar to an image, uint8 (28, 28), by a model's features, nearest first.

    Raises:
        ValueError: the model has no last dense layer.
    """
    indices = _reference(model).most_similar(familiarity.features(model.recogniser, image[None]), count)
    return Digits(training_sample().images[indices], training_sample().labels[indices])


def methods_of(model: Model) -> list[str]:
    """Attribution methods that work on a model here, the default one first."""
    export = ExportedModel(model.recogniser)
    working = [
        name for name in attribution.working_methods(export) if not IS_PUBLIC or attribution.is_quick(export, name)
    ]
    return sorted(working, key=lambda name: name != attribution.DEFAULT)


def has_feature_map(model: Model) -> bool:
    """Whether a model has a spatial feature map, as convolutional ones do."""
    return ExportedModel(model.recogniser).feature_layer is not None


def needs_tensorflow(model: Model, method: str) -> bool:
    """Whether a method needs the gradient, and so TensorFlow, on this model."""
    return not attribution.is_quick(ExportedModel(model.recogniser), method)


@st.cache_resource(max_entries=256, show_spinner=False, hash_funcs=BY_KEY)
def explain(model: Model, image: np.ndarray, method: str, target: int, versus: int | None = None) -> Attribution:
    """Why a model gives `target` its score, rather than `versus`; of one image, uint8 (28, 28)."""
    opened = attribution.open_model(model.recogniser, method)
    return attribution.explain(opened, image[None], method, target, versus)


@st.cache_resource(max_entries=8, show_spinner="Opening the layers", hash_funcs=BY_KEY)
def network(model: Model) -> Network:
    """A model with all its layers in view.

    Raises:
        ValueError: it has none.
    """
    return Network(model.recogniser)


@st.cache_resource(max_entries=64, show_spinner="Trying one pixel after another", hash_funcs=BY_KEY)
def fewest_pixels(model: Model, image: np.ndarray, target: int) -> counterfactual.Counterfactual:
    """The fewest pixels found whose change makes a model answer `target`."""
    return counterfactual.find(ExportedModel(model.recogniser), image, target)


def tensorflow_is_ready() -> bool:
    """Whether TensorFlow is in memory; if not, it starts loading in the background."""
    loader = _tensorflow_loader()
    return not loader.is_alive() and "keras" in sys.modules


@st.cache_resource(show_spinner=False)
def _tensorflow_loader() -> Thread:
    loader = Thread(target=_load_tensorflow, name="tensorflow", daemon=True)
    loader.start()
    return loader


def _load_tensorflow() -> None:
    backend.load_keras()


def spare_modules() -> None:
    """Leave out of the search for garbage what has been imported.

    Streamlit searches after every run of the page; among all that TensorFlow is made of, that takes 0.1 s, and the
    next answer would wait for it.
    """
    _freeze(len(sys.modules))


@st.cache_resource(max_entries=1, show_spinner=False)
def _freeze(modules: int) -> None:
    gc.collect()
    gc.freeze()


@st.cache_resource(show_spinner=False)
def queue() -> Queue:
    """The server's queue of heavy work, one job at a time for all sessions."""
    return Queue()
