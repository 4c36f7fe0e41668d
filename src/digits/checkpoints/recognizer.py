"""Recognising digits: every checkpoint looks the same through a `Recognizer`, and none of them needs TensorFlow."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from digits import files, paths
from digits.checkpoints import cards, forest
from digits.images import check_images, to_input
from digits.jobs import subprocesses

# Bounds the memory of one call; larger blocks are hardly faster.
BLOCK = 100
# Counts what exports are written to hold, so that one cached by an earlier release isn't taken for a new one.
EXPORT_VERSION = 2


@dataclass(frozen=True)
class Recognizer:
    """A checkpoint, ready to recognise.

    Attributes:
        name: the checkpoint's name.
        path: the checkpoint's file.
        card: its card; empty for a file that came without one.
        function: float32 (N, 28, 28, 1), ink 0 to 1, and names of outputs, to those outputs.
        outputs: names of the outputs that there are; `onnx_export.export` says what they are.
        metadata: what the export says of itself: the names of its `layers`, and its `feature_layer` if it has one.
    """

    name: str
    path: Path
    card: dict
    function: Callable[[np.ndarray, tuple[str, ...]], list[np.ndarray]]
    outputs: tuple[str, ...] = ("probabilities",)
    metadata: dict[str, str] = field(default_factory=dict)

    def predict_proba(self, images: np.ndarray) -> np.ndarray:
        """Probabilities of the ten digits, float32 (N, 10), of `images`, uint8 (N, 28, 28), ink 255 on paper 0.

        Raises:
            ValueError: the images have another shape or dtype.
        """
        check_images(images)
        blocks = [self.run(to_input(block), "probabilities")[0] for block in blocks_of(images)]
        return np.concatenate([np.empty((0, 10)), *blocks]).astype(np.float32)

    def run(self, ink: np.ndarray, *outputs: str) -> list[np.ndarray]:
        """Outputs by name for one block of `ink`, float32 (N, 28, 28, 1), in [0, 1].

        Raises:
            ValueError: the model doesn't have such an output.
        """
        if missing := set(outputs) - set(self.outputs):
            raise ValueError(f"{self.name} has no {', '.join(sorted(missing))}; it has {', '.join(self.outputs)}")
        return self.function(ink, outputs)


def blocks_of(images: np.ndarray) -> Iterator[np.ndarray]:
    """Images, (N, ...), in blocks that a model takes at once."""
    return (images[start : start + BLOCK] for start in range(0, len(images), BLOCK))


def find(model: str | Path, models_dir: Path = paths.MODELS) -> Path:
    """The file of a checkpoint, by its name in `models_dir` or its path.

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
    if path.suffix in (".skops", ".npz"):
        return Recognizer(
            path.stem, path, card, _forest_function(path.with_suffix(".npz") if "export" in card else path)
        )
    export = path if path.suffix == ".onnx" else path.with_suffix(".onnx") if "export" in card else _cached_export(path)
    return from_export(path.stem, path, card, export)


def from_export(name: str, path: Path, card: dict, export: Path | bytes) -> Recognizer:
    """A recogniser that answers through an export, from its file or from the bytes of one.

    Raises:
        ValueError: the export is damaged or isn't a digit classifier.
    """
    session = _open_export(export, export if isinstance(export, Path) else path)
    (input_,) = session.get_inputs()
    return Recognizer(
        name,
        path,
        card,
        function=lambda ink, names: session.run(names, {input_.name: ink}),
        outputs=tuple(output.name for output in session.get_outputs()),
        metadata=session.get_modelmeta().custom_metadata_map,
    )


def check_names(names: list[str]) -> None:
    """Raise a ValueError if a name comes twice, because results are kept by the models' names."""
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"two of the models are called {', '.join(twice)}; rename one, or name each once")


def _open_export(export: Path | bytes, path: Path):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # The arena would keep the most that a network ever needed; without it nothing is measurably slower.
    options.enable_cpu_mem_arena = False
    # A thread that spins while it waits for work takes a core from whoever else draws.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(export, options, providers=["CPUExecutionProvider"])
        input_name = session.get_inputs()[0].name
        shape = session.run(["probabilities"], {input_name: np.zeros((1, 28, 28, 1), np.float32)})[0].shape
    # ONNX Runtime raises exceptions of its own, without a common base.
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
    """The export of a `.keras` file that came without one, made once in a child process and found again by its hash."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "digit-workbench"
    export = cache / f"{files.sha256(source)}-{EXPORT_VERSION}.onnx"
    if not export.is_file():
        files.output_folder(cache)
        result = subprocesses.run_python(["-m", "digits.checkpoints.convert", source, export])
        if result.outcome != "done":
            # With status 2 the reason is a sentence that names the file.
            raise ValueError(result.reason if result.status == 2 else f"can't convert {source}: {result.reason}")
    return export
