"""Files that are never seen half-written, and folders and names that are checked before anything is written."""

import hashlib
import re
import reprlib
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


CHECKPOINT_SUFFIXES = (".keras", ".onnx", ".skops", ".npz")


def check_name(name: str, what: str) -> str:
    """Return `name` if a model, a variant or an ensemble may be called that; files and folders take its name.

    Args:
        what: the name is, for the error message.

    Raises:
        ValueError: it has other characters than expected, is too long, or would be taken for the path of a checkpoint.
    """
    if not re.fullmatch("[A-Za-z0-9_][A-Za-z0-9._-]{0,99}", name) or name.endswith(CHECKPOINT_SUFFIXES):
        raise ValueError(
            f"expected {what} of up to 100 letters A to Z, digits, '.', '_' and '-' that doesn't begin with '.' or '-' "
            f"or end in {', '.join(CHECKPOINT_SUFFIXES)}, got {reprlib.repr(name)}"
        )
    return name


def output_folder(folder: Path) -> Path:
    """Make `folder` and check that files can be created in it.

    Raises:
        ValueError: the folder can't be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise ValueError(f"can't write to the output folder {folder}: {error.strerror}") from error


@contextmanager
def locked(folder: Path, option: str, name: str = "") -> Iterator[Path]:
    """Make `folder` and keep other processes from writing to it, or only to its checkpoint `name`, during the block.

    The operating system releases the lock when the process ends, even by a kill; the empty lock file stays. A thread
    may take a lock again that it already holds. Reading takes no lock.

    Args:
        option: what the user can choose otherwise, for the error message.
        name: of a checkpoint. Without it the lock is the folder's, which doesn't affect those of checkpoints in it.

    Raises:
        ValueError: another process holds the lock, or the folder can't be made, written to or locked.
    """
    # Importing it takes a tenth of a second, which --help needn't wait for.
    from filelock import FileLock, Timeout

    lock = FileLock(output_folder(folder) / (f".{name}.lock" if name else ".lock"), blocking=False, is_singleton=True)
    try:
        held = lock.acquire()
    except Timeout as error:
        raise ValueError(
            f"another process is writing to {folder / name}; wait until it has finished, or choose another {option}"
        ) from error
    except OSError as error:
        raise ValueError(f"can't lock {folder / name}: {error.strerror}; choose another {option}") from error
    with held:
        yield folder


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path` that takes its place when the block ends well, and is deleted when it fails.

    The temporary name keeps the suffix, because Keras and Pillow choose the format by it.
    """
    temporary = path.with_name(f".{path.stem}.{secrets.token_hex(4)}{path.suffix}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` as UTF-8, all of it or nothing."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_png(path: Path, image: "np.ndarray") -> None:
    """Write a grey image, uint8 (height, width), as PNG, all of it or nothing."""
    from PIL import Image

    with replacing(path) as temporary:
        Image.fromarray(image).save(temporary)


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
