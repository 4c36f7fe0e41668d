"""Models without a card that confirms them: opened once in a confined process, and then used by what that made.

What it made is kept in the user's cache folder by the hash of the file, refusals in memory: a broken file in a folder
of models would otherwise cost seconds at every look.
"""

import hashlib
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from digits import files
from digits.checkpoints import forest, input_format, onnx_session
from digits.checkpoints.input_format import InputFormat
from digits.untrusted import confinement

# Raised whenever what is made of a file changes, so that nothing made by an earlier release is used.
VERSION = 3
# How a file is opened, by its suffix; whether a Keras file is an archive or HDF5 is seen from its first bytes.
KINDS = {".keras": ".keras", ".h5": ".keras", ".hdf5": ".keras", ".onnx": ".onnx", ".skops": ".skops", ".npz": ".npz"}
TORCH = 'torch.onnx.export(model, torch.zeros(1, 1, 28, 28), "model.onnx", external_data=False) in PyTorch'
PICKLE = 'skops.io.dump(forest, "model.skops") in Python, for a random forest'
CONVERSIONS = {
    ".tflite": "python -m tf2onnx.convert --tflite {} --output model.onnx",
    ".pb": "python -m tf2onnx.convert --saved-model FOLDER --output model.onnx",
    **dict.fromkeys((".pt", ".pth", ".ckpt", ".safetensors"), TORCH),
    **dict.fromkeys((".pkl", ".pickle", ".joblib"), PICKLE),
}
SAVED_MODEL = "python -m tf2onnx.convert --saved-model {} --output model.onnx"

_refusals: dict[str, str] = {}


class Opened(NamedTuple):
    """A stranger's model as it can be used.

    Attributes:
        sha256: of what was made of the file, and of how.
        export: the ONNX export of a Keras model, otherwise None.
        function: from ink and names of outputs to those outputs, if there is no export.
        outputs: the names of that function's outputs.
        network: the Keras model of our own kind that was made of it; None for other models.
        note: a sentence for the user, perhaps empty.
    """

    sha256: str
    export: bytes | None
    function: Callable[[np.ndarray, tuple[str, ...]], list[np.ndarray]] | None
    outputs: tuple[str, ...]
    network: Path | None
    note: str


def kind(path: Path) -> str:
    """What opens a file: a key of `KINDS`' values.

    Raises:
        ValueError: the project doesn't read such files; the message says how to convert them.
    """
    if path.is_dir():
        raise ValueError(_convert_first(path, "a SavedModel", SAVED_MODEL))
    suffix = path.suffix.lower()
    if suffix in KINDS:
        return KINDS[suffix]
    if suffix in CONVERSIONS:
        raise ValueError(_convert_first(path, f"a {suffix} file", CONVERSIONS[suffix]))
    raise ValueError(f"{path} isn't a model file that can be read: expected one of {', '.join(KINDS)}")


def open_file(path: Path, cache: Path) -> Opened:
    """Open a model file, with what was made of it in the folder `cache`.

    Raises:
        ValueError: the file is refused; the message says why.
        OSError: it can't be read, or the machine is too busy to open it.
    """
    suffix = kind(path)
    size = path.stat().st_size
    if not size:
        raise ValueError(f"{path} is empty")
    if size > confinement.FILE_BYTES:
        limit = f"{confinement.FILE_BYTES / 1e6:.0f} MB"
        raise ValueError(f"{path} has {size / 1e6:.0f} MB; the limit for models without a card is {limit}")
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if (digest + suffix) in _refusals:
        raise ValueError(f"{path} can't be used: {_refusals[digest + suffix]}")
    try:
        made = cache / f"{digest}-{VERSION}.json"
        if not made.is_file():
            _open_confined(content, suffix, made)
        return _use(content, suffix, made)
    except ValueError as error:
        _refusals[digest + suffix] = str(error)
        raise ValueError(f"{path} can't be used: {error}") from error


def _open_confined(content: bytes, suffix: str, made: Path) -> None:
    """Let a confined process check, try and convert a model; move what it writes beside `made`, that last."""
    with tempfile.TemporaryDirectory(prefix="digits-") as name:
        folder = Path(name)
        source = folder / f"stranger{suffix}"
        source.write_bytes(content)
        limits = "Keras model" if suffix == ".keras" else "model"
        confinement.run("digits.checkpoints.convert", source.name, folder, limits)
        files.output_folder(made.parent)
        for written in (".keras", ".onnx", ".npz", ".json"):
            if (folder / f"model{written}").is_file():
                with files.replacing(made.with_suffix(written)) as temporary:
                    temporary.write_bytes((folder / f"model{written}").read_bytes())


def _use(content: bytes, suffix: str, made: Path) -> Opened:
    facts = json.loads(made.read_text())
    sha256 = hashlib.sha256(content + made.read_bytes()).hexdigest()
    if suffix == ".keras":
        return Opened(
            sha256, made.with_suffix(".onnx").read_bytes(), None, (), made.with_suffix(".keras"), facts["note"]
        )
    outputs = ("probabilities",)
    if suffix == ".onnx":
        run = onnx_session.ForeignGraph(content).run
        outputs += ("logits",) if facts["answers"] == "logits" else ()
    elif suffix == ".npz":
        run = forest.read(content).predict_proba
    else:
        run = forest.read(made.with_suffix(".npz").read_bytes()).predict_proba
    given = InputFormat(**facts["input"] | {"shape": tuple(facts["input"]["shape"])})
    return Opened(sha256, None, input_format.as_function(run, given, facts["answers"]), outputs, None, facts["note"])


def _convert_first(path: Path, what: str, command: str) -> str:
    return f"{path} is {what}, which can't be checked; if you trust its author, convert it: {command.format(path)}"
