"""A child process with limited memory and time that opens an untrusted file, a model or HDF5, in a temporary folder."""

import os
import signal
from contextlib import suppress
from pathlib import Path
from threading import Lock

from digits.jobs import subprocesses

# 2.5 million weights and, as in the file of a compiled model, two moments of Adam for each.
FILE_BYTES = 30_000_000
# Seconds in all: a busy machine may not give the process what `LIMITS` allow.
SECONDS = 55
# Seconds of computing, bytes of memory, and bytes of a file that is written. A Keras model normally takes 5 to 20 s and
# 1.0 GB, nearly all of it for TensorFlow; other models take up to 5 s and 0.3 GB. The largest data set that is read has
# 0.8 GB, and needs as much again while it is decompressed.
LIMITS = {
    "Keras model": (50, 1_400_000_000, 2 * FILE_BYTES),
    "model": (15, 800_000_000, 2 * FILE_BYTES),
    "data set": (50, 2_000_000_000, 1_000_000_000),
}
REASON_LENGTH = 500
INHERITED = ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "LANG")
ENVIRONMENT = {
    "KERAS_BACKEND": "tensorflow",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": "-1",
    "ORT_DISABLE_TELEMETRY": "1",
    # On a machine with many cores, each thread's own arena would count.
    "MALLOC_ARENA_MAX": "2",
    **dict.fromkeys(
        ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), "2"
    ),
}

# Two at once would need twice the memory.
_turn = Lock()


def run(module: str, file: str | Path, folder: Path, kind: str) -> None:
    """Run a Python module on a file, confined, with `folder` as its current folder.

    Args:
        module: it is given the file's path and the arguments of `confine`, which it calls.
        kind: of the file, a key of `LIMITS`.

    Raises:
        ValueError: the module refused the file, or came to one of its own limits.
        TimeoutError: other files are being opened, or it took more than `SECONDS`.
    """
    if not _turn.acquire(timeout=SECONDS):
        raise TimeoutError("other files are being opened; try again in a minute")
    try:
        result = subprocesses.run_python(
            ["-m", module, file, *LIMITS[kind]],
            environment=_environment(folder),
            folder=folder,
            time_limit=SECONDS,
            low_priority=True,
        )
    finally:
        _turn.release()
    if result.outcome == "done":
        return
    if result.status is None:
        raise TimeoutError(f"the file wasn't opened within {SECONDS} seconds; try again when the machine is less busy")
    if result.status == -getattr(signal, "SIGXCPU", 0):
        raise ValueError("it took too long to open and was given up")
    if result.status != 2:
        raise ValueError("it needs too much memory, or crashed while it was opened")
    raise ValueError(result.reason.replace(str(folder), "").replace(str(file), "it")[:REASON_LENGTH])


def confine(seconds: int, memory: int, file_bytes: int) -> None:
    """Limit this process to seconds of computing, bytes of memory, and bytes of a file that it writes.

    Windows has no such limits, and macOS enforces only some of them.
    """
    try:
        import resource
    except ImportError:
        return
    # Data, not addresses: TensorFlow reserves far more of those than it uses, and more with more cores.
    limits = {resource.RLIMIT_DATA: memory, resource.RLIMIT_FSIZE: file_bytes, resource.RLIMIT_CORE: 0}
    for kind, limit in limits.items():
        # The host may have set a lower limit already, which stays.
        with suppress(ValueError, OSError):
            resource.setrlimit(kind, (limit, limit))
    with suppress(ValueError, OSError):
        # The first limit ends the process with a signal of its own.
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))


def _environment(folder: Path) -> dict[str, str]:
    """The part of this process's environment that the child needs, and its own settings."""
    inherited = {key: os.environ[key] for key in INHERITED if key in os.environ}
    folders = dict.fromkeys(("TMPDIR", "TEMP", "TMP", "HOME", "XDG_CACHE_HOME", "KERAS_HOME"), str(folder))
    return inherited | ENVIRONMENT | folders
