"""Recognising digits without TensorFlow: a `Recognizer` is the same interface to every kind of checkpoint."""

import logging
import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path, PureWindowsPath
from typing import Protocol, cast

import numpy as np

from digits import files, paths
from digits.checkpoints import cards, forest, onnx_session, strangers
from digits.images import check_images, to_input

# Bounds the memory of one call; larger blocks are hardly faster.
BLOCK = 100
# How far the sum of ten probabilities may be from 1.
ROUNDING = 0.01


class Classifier(Protocol):
    """What evaluation, robustness and handwriting need of a model."""

    @property
    def name(self) -> str:
        """Names it in results."""
        ...

    @property
    def card(self) -> dict:
        """Its card, perhaps empty."""
        ...

    def predict_proba(self, images: np.ndarray, /) -> np.ndarray:
        """Probabilities, float32 (N, 10), for `images`, uint8 (N, 28, 28)."""
        ...


# Compared by identity, so that what was computed with one can be cached.
@dataclass(frozen=True, eq=False)
class Recognizer:
    """A checkpoint, ready to recognise.

    Attributes:
        name: the checkpoint's name.
        path: the checkpoint's file.
        card: its card; empty for a file without one.
        function: from ink, float32 (N, 28, 28, 1) in [0, 1], and names of outputs to those outputs.
        outputs: the names of all outputs, which `onnx_export.export` describes.
        metadata: of an ONNX export: the names of its `layers`, and its `feature_layer` if it has one.
        sha256: of the checkpoint's file, or of what was made of a stranger's; empty if it was never a file here.
        network: the `.keras` file that Keras may open: the checkpoint, or a checked copy of it; None for other models.
        note: what the user should know about a model without a card; empty if there is nothing to say.
        export: the ONNX export that it runs, or its file; None for a forest.
    """

    name: str
    path: Path
    card: dict
    function: Callable[[np.ndarray, tuple[str, ...]], list[np.ndarray]]
    outputs: tuple[str, ...] = ("probabilities",)
    metadata: dict[str, str] = field(default_factory=dict)
    sha256: str = ""
    network: Path | None = None
    note: str = ""
    export: Path | bytes | None = None

    def predict_proba(self, images: np.ndarray) -> np.ndarray:
        """Probabilities of the ten digits, float32 (N, 10), of `images`, uint8 (N, 28, 28), ink 255 on paper 0.

        Raises:
            ValueError: the images have another shape or dtype.
        """
        check_images(images)
        blocks = [self.run(to_input(block), "probabilities")[0] for block in blocks_of(images)]
        return np.concatenate([np.empty((0, 10)), *blocks]).astype(np.float32)

    def run(self, ink: np.ndarray, *outputs: str) -> list[np.ndarray]:
        """The named outputs for one block of `ink`, float32 (N, 28, 28, 1) in [0, 1].

        Raises:
            ValueError: the model doesn't have such an output.
        """
        if missing := set(outputs) - set(self.outputs):
            raise ValueError(f"{self.name} has no {', '.join(sorted(missing))}; it has {', '.join(self.outputs)}")
        found = self.function(ink, outputs)
        for name, values in zip(outputs, found, strict=True):
            # Written so that NaN fails.
            if name == "probabilities" and not np.all(np.abs(values.sum(axis=1) - 1) < ROUNDING):
                raise ValueError(f"{self.name} answers with numbers that aren't probabilities of ten digits")
        return found


def blocks_of(images: np.ndarray) -> Iterator[np.ndarray]:
    """Images, (N, ...), split into the blocks that a model takes at once."""
    return (images[start : start + BLOCK] for start in range(0, len(images), BLOCK))


def find(model: str | Path, models_dir: Path = paths.MODELS) -> Path:
    """The file of a checkpoint, given by its name in `models_dir` or by its path.

    Raises:
        FileNotFoundError: there is no such name or file.
        ValueError: the file is of a kind that isn't read; the message says how to convert it.
    """
    path, names = Path(model), cards.available(models_dir)
    if str(model) in names:
        return models_dir / cards.read(models_dir / f"{model}.json")["checkpoint"]["file"]
    if path.is_file() or (path / "saved_model.pb").is_file():
        strangers.kind(path)
        return path
    if path.suffix.lower() in (*strangers.KINDS, *strangers.CONVERSIONS):
        raise FileNotFoundError(f"no checkpoint {path}")
    known = ", ".join(names) or "none yet: train one"
    raise FileNotFoundError(f"no model called {model} in {models_dir}; there are: {known}")


def load(model: str | Path, models_dir: Path = paths.MODELS, warn: bool = True) -> Recognizer:
    """Open a checkpoint by its name in `models_dir`, or any model by the path of its file.

    A file that its card describes, with the same hash, is opened as it is. Any other is a stranger's: it is checked and
    tried in a confined process (`strangers`), and what the user should know about it is logged unless `warn` is false.

    Raises:
        FileNotFoundError: there is no such name or file.
        ValueError: the file is refused, damaged, no digit classifier, or isn't the one that its card describes.
    """
    path = find(model, models_dir)
    card = confirming_card(path)
    if not card:
        recogniser = _stranger(path, path.stem, paths.cache_folder())
        if warn:
            say_note(recogniser)
        return recogniser
    recogniser = replace(from_checkpoint(path.stem, path, card), sha256=card["checkpoint"]["sha256"])
    # Another process that replaces the checkpoint meanwhile replaces the card first.
    return recogniser if cards.read(path.with_suffix(".json")) == card else load(path)


def say_note(recogniser: Recognizer) -> None:
    """Log what the user should know about a model without a card, if anything, as a warning."""
    if recogniser.note:
        logging.getLogger(__name__).warning("%s: %s", recogniser.path.name, recogniser.note)


def from_checkpoint(name: str, path: Path, card: dict) -> Recognizer:
    """A recogniser of a trusted checkpoint, which runs the export beside it.

    Raises:
        ValueError: the export is damaged or isn't a digit classifier.
    """
    if path.suffix in (".skops", ".npz"):
        trees = forest.load(path.with_suffix(".npz"))
        return Recognizer(name, path, card, lambda ink, _: [trees.predict_proba(ink.reshape(len(ink), -1))])
    network = path if path.suffix == ".keras" else None
    return replace(from_export(name, path, card, path.with_suffix(".onnx")), network=network)


def load_upload(content: bytes, name: str) -> Recognizer:
    """Open the bytes of a stranger's file; nothing of it stays on the disk.

    Args:
        name: the file's name, which is shown but never used as a path.

    Raises:
        ValueError: the file is refused; the message says why.
    """
    title = clean_name(name)
    with tempfile.TemporaryDirectory(prefix="digits-") as folder:
        path = Path(folder, title + PureWindowsPath(name).suffix.lower())
        path.write_bytes(content)
        try:
            opened = _stranger(path, title, Path(folder, "cache"))
        except ValueError as error:
            raise ValueError(str(error).replace(str(path), "the file")) from error
        export = opened.export.read_bytes() if isinstance(opened.export, Path) else opened.export
    # Its key in caches is the session's; the copy is gone.
    return replace(opened, path=Path(path.name), sha256="", network=None, export=export)


def clean_name(name: str) -> str:
    """A file's name without folders and suffix, reduced to characters that are safe to show."""
    stem = PureWindowsPath(name).name
    stem = next((stem[: -len(suffix)] for suffix in strangers.KINDS if stem.lower().endswith(suffix)), stem)
    return re.sub(r"[^\w.-]+", "_", stem).strip("._-")[:40] or "model"


def confirming_card(path: Path) -> dict:
    """The card that describes this very file; empty if none does.

    Raises:
        FileNotFoundError, ValueError: there is such a card, but it or one of its files is damaged or missing.
    """
    card_path = path.with_suffix(".json")
    if path.suffix not in files.CHECKPOINT_SUFFIXES or not card_path.is_file():
        return {}
    try:
        return _verified_card(path)
    except (FileNotFoundError, ValueError):
        # A process that replaced the checkpoint was killed, or is still moving its files.
        files.finish_replacing(path.parent, path.stem)
        return _verified_card(path)


def _verified_card(path: Path) -> dict:
    card = cards.read(path.with_suffix(".json"))
    if path.name not in (card["checkpoint"]["file"], card["export"]["file"]):
        return {}
    cards.verify(card, path.parent)
    return card


def _stranger(path: Path, name: str, cache: Path) -> Recognizer:
    opened = strangers.open_file(path, cache)
    more = {"sha256": opened.sha256, "network": opened.network, "note": opened.note}
    if opened.export:
        return replace(from_export(name, path, {}, opened.export), **more)
    assert opened.function
    return Recognizer(name, path, {}, opened.function, opened.outputs, **more)


def from_export(name: str, path: Path, card: dict, export: Path | bytes) -> Recognizer:
    """A recogniser that runs an ONNX export, given as a file or as its bytes.

    Raises:
        ValueError: the export is damaged or isn't a digit classifier.
    """
    session = _open_export(export, export if isinstance(export, Path) else path)
    (input_,) = session.get_inputs()
    return Recognizer(
        name,
        path,
        card,
        function=lambda ink, names: cast("list[np.ndarray]", session.run(names, {input_.name: ink})),
        outputs=tuple(output.name for output in session.get_outputs()),
        metadata=session.get_modelmeta().custom_metadata_map,
        export=export,
    )


def check_names(names: list[str]) -> None:
    """Raise a ValueError if two models have the same name, because results are stored by name."""
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"two of the models are called {', '.join(twice)}; rename one, or list each model once")


def _open_export(export: Path | bytes, path: Path):
    try:
        session = onnx_session.open_session(export)
        input_name = session.get_inputs()[0].name
        blank = np.zeros((1, 28, 28, 1), np.float32)
        shape = cast("np.ndarray", session.run(["probabilities"], {input_name: blank})[0]).shape
    # ONNX Runtime's own exceptions have no common base class.
    except Exception as error:
        raise ValueError(f"{path} can't be opened as an ONNX digit classifier: {error}") from error
    if shape != (1, 10):
        raise ValueError(f"expected ten probabilities from {path}, got {shape}")
    return session
