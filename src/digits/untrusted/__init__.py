"""Models from strangers: an untrusted `.keras` file is checked as data and exported to ONNX in a confined process.

A `.keras` file can name code to run and sizes that fit no machine. So its zip archive, config and weights are checked
before Keras sees them. Keras gets a copy without anything unknown, in a process with limited memory and time.

In: the bytes of a file. Out: a `Recognizer` that runs its ONNX export, or a sentence that says why there is none.
"""

import json
import os
import re
import tempfile
from pathlib import Path, PureWindowsPath
from threading import Lock

from digits.checkpoints.recognizer import Recognizer, from_export
from digits.jobs import subprocesses
from digits.untrusted import archive, config_copy, size_limits

# A normal conversion takes 4 to 20 seconds and 1.0 GB, nearly all of it for TensorFlow.
SECONDS = 90
MEMORY_BYTES = 2_000_000_000
REASON_LENGTH = 300
INHERITED = ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "LANG")
ENVIRONMENT = {
    "KERAS_BACKEND": "tensorflow",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": "-1",
    # On a machine with many cores, each thread's own arena would count.
    "MALLOC_ARENA_MAX": "2",
    "OMP_NUM_THREADS": "2",
    "TF_NUM_INTRAOP_THREADS": "2",
    "TF_NUM_INTEROP_THREADS": "2",
}

# Two conversions at once would need twice the memory.
_turn = Lock()


def load(content: bytes, name: str) -> Recognizer:
    """Load the bytes of an untrusted `.keras` file; nothing of it stays on disk.

    Args:
        name: the file's name, which is shown but never used as a path.

    Raises:
        ValueError: the file is refused; the message says why.
    """
    members = archive.unpack(content)
    model = config_copy.copy(members[archive.CONFIG])
    weights = size_limits.measure(model)
    copy = {archive.CONFIG: json.dumps(model).encode(), archive.WEIGHTS: members[archive.WEIGHTS]}
    if not _turn.acquire(timeout=SECONDS):
        raise ValueError("other models are being converted; try again in a minute")
    try:
        export = _convert(copy, weights)
    finally:
        _turn.release()
    title = clean(name)
    return from_export(title, Path(f"{title}.onnx"), {}, export)


def clean(name: str) -> str:
    """A file's name without folders and suffix, reduced to characters that are safe to show."""
    stem = PureWindowsPath(name).name.removesuffix(".keras")
    return re.sub(r"[^\w.-]+", "_", stem).strip("._-")[:40] or "model"


def _convert(members: dict[str, bytes], weights: int) -> bytes:
    """The ONNX export of a `.keras` file, made in a child process in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="digits-") as folder:
        archive.pack(members, Path(folder, "model.keras"))
        result = subprocesses.run_python(
            ["-m", "digits.untrusted.worker", "model.keras", "model.onnx", MEMORY_BYTES, weights],
            environment=_environment(folder),
            folder=Path(folder),
            time_limit=SECONDS,
            low_priority=True,
        )
        export = Path(folder, "model.onnx")
        if result.outcome == "done" and export.is_file() and export.stat().st_size <= archive.FILE_BYTES:
            return export.read_bytes()
    if result.status is None:
        raise ValueError(f"the model's conversion took longer than {SECONDS} seconds and was ended")
    if result.status != 2:
        raise ValueError("the model needs too much memory, or crashed the conversion")
    reason = result.reason.replace("model.keras ", "it ").replace(folder, "")
    raise ValueError(f"the model can't be used: {reason[:REASON_LENGTH]}")


def _environment(folder: str) -> dict[str, str]:
    """The part of this process's environment that a conversion needs, and its own settings."""
    inherited = {key: os.environ[key] for key in INHERITED if key in os.environ}
    return inherited | ENVIRONMENT | dict.fromkeys(("TMPDIR", "TEMP", "TMP", "KERAS_HOME"), folder)
