"""Recognising digits without TensorFlow: a `Recognizer` is the same interface to every kind of checkpoint."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol, cast

import numpy as np

from digits import files, paths
from digits.checkpoints import cards, forest
from digits.images import check_images, to_input
from digits.jobs import subprocesses

# Bounds the memory of one call; larger blocks are hardly faster.
BLOCK = 100
# Raised whenever exports gain something, so that one cached by an earlier release isn't used.
EXPORT_VERSION = 2


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
        sha256: of the checkpoint's file; empty if it was never a file here.
    """

    name: str
    path: Path
    card: dict
    function: Callable[[np.ndarray, tuple[str, ...]], list[np.ndarray]]
    outputs: tuple[str, ...] = ("probabilities",)
    metadata: dict[str, str] = field(default_factory=dict)
    sha256: str = ""

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
        return self.function(ink, outputs)


def blocks_of(images: np.ndarray) -> Iterator[np.ndarray]:
    """Images, (N, ...), split into the blocks that a model takes at once."""
    return (images[start : start + BLOCK] for start in range(0, len(images), BLOCK))


def find(model: str | Path, models_dir: Path = paths.MODELS) -> Path:
    """The file of a checkpoint, given by its name in `models_dir` or by its path.

    Raises:
        FileNotFoundError: there is no such name or file.
    """
    path = Path(model)
    if path.suffix not in files.CHECKPOINT_SUFFIXES:
        names = cards.available(models_dir)
        if str(model) not in names:
            known = ", ".join(names) or "none yet: train one"
            raise FileNotFoundError(f"no model called {model} in {models_dir}; there are: {known}")
        return models_dir / cards.read(models_dir / f"{model}.json")["checkpoint"]["file"]
    if not path.is_file():
        raise FileNotFoundError(f"no checkpoint {path}")
    return path


def load(model: str | Path, models_dir: Path = paths.MODELS) -> Recognizer:
    """Load a checkpoint by its name in `models_dir`, or by the path of a `.keras`, `.onnx`, `.skops` or `.npz` file.

    Raises:
        FileNotFoundError: there is no such name or file.
        ValueError: the file is damaged, isn't a digit classifier, or isn't the one that its card describes.
    """
    path = find(model, models_dir)
    card_path = path.with_suffix(".json")
    card = {}
    if card_path.is_file():
        card = cards.read(card_path)
        cards.verify(card, path.parent)
    digest = card["checkpoint"]["sha256"] if card else files.sha256(path)
    if path.suffix in (".skops", ".npz"):
        function = _forest_function(path.with_suffix(".npz") if "export" in card else path)
        return Recognizer(path.stem, path, card, function, sha256=digest)
    export = path if path.suffix == ".onnx" else path.with_suffix(".onnx") if "export" in card else _cached_export(path)
    return replace(from_export(path.stem, path, card, export), sha256=digest)


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
    )


def check_names(names: list[str]) -> None:
    """Raise a ValueError if two models have the same name, because results are stored by name."""
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"two of the models are called {', '.join(twice)}; rename one, or list each model once")


def _open_export(export: Path | bytes, path: Path):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # The arena never gives memory back; without it nothing is measurably slower.
    options.enable_cpu_mem_arena = False
    # Threads that spin while they wait take cores from other users of the app.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(export, options, providers=["CPUExecutionProvider"])
        input_name = session.get_inputs()[0].name
        blank = np.zeros((1, 28, 28, 1), np.float32)
        shape = cast("np.ndarray", session.run(["probabilities"], {input_name: blank})[0]).shape
    # ONNX Runtime's own exceptions have no common base class.
    except Exception as error:
        raise ValueError(f"{path} can't be opened as an ONNX digit classifier: {error}") from error
    if shape != (1, 10):
        raise ValueError(f"expected ten probabilities from {path}, got {shape}")
    return session


def _forest_function(path: Path) -> Callable[[np.ndarray, tuple[str, ...]], list[np.ndarray]]:
    if path.suffix == ".npz":
        trees = forest.load(path)
    else:
        from digits.checkpoints import scikit_learn

        trees = forest.assemble(forest.flatten(scikit_learn.load_forest(path)))
    return lambda ink, names: [trees.predict_proba(ink.reshape(len(ink), -1))]


def _cached_export(source: Path) -> Path:
    """The ONNX export of a `.keras` file without one, made once in a child process and cached by the file's hash."""
    cache = paths.cache_folder()
    export = cache / f"{files.sha256(source)}-{EXPORT_VERSION}.onnx"
    if not export.is_file():
        files.output_folder(cache)
        result = subprocesses.run_python(["-m", "digits.checkpoints.convert", source, export])
        if result.outcome != "done":
            # Status 2 comes with a sentence that names the file.
            raise ValueError(result.reason if result.status == 2 else f"can't convert {source}: {result.reason}")
    return export
