"""Atomic writes, locks on folders, and checks of names and folders before anything is written."""

import hashlib
import os
import re
import reprlib
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


# What a name begins with until the file is whole, or the folder moved into place.
UNFINISHED = ".unfinished-"
# What the folder of a checkpoint's new files begins with from when all are whole until all are moved into place.
REPLACING = ".publishing-"
# Seconds that another process may take to move them.
MOVING = 10
# Seconds after which an unfinished file or folder is one that a killed process left.
ABANDONED = 3600
CHECKPOINT_SUFFIXES = (".keras", ".onnx", ".skops", ".npz")


def check_name(name: str, what: str) -> str:
    """Return `name` if a model, a variant or an ensemble, and so its files and folders, may have it.

    Args:
        what: what is named, for the error message.

    Raises:
        ValueError: the name contains unexpected characters, is too long, or looks like the path of a checkpoint.
    """
    if not re.fullmatch("[A-Za-z0-9_][A-Za-z0-9._-]{0,99}", name) or name.endswith(CHECKPOINT_SUFFIXES):
        raise ValueError(
            f"expected {what} of up to 100 letters A to Z, digits, '.', '_' and '-' that doesn't begin with '.' or '-' "
            f"or end in {', '.join(CHECKPOINT_SUFFIXES)}, got {reprlib.repr(name)}"
        )
    return name


def safe_name(name: str) -> str:
    """A name that came with a file, such as a layer's, in a form that can be a file's: `_` for unusual characters."""
    return re.sub(r"[^\w.-]|^\.", "_", name)[-100:]


def output_folder(folder: Path) -> Path:
    """Create `folder` if needed, check that files can be created in it, delete unfinished old ones, and return it.

    Raises:
        ValueError: the folder can't be created or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ValueError(f"can't write to the output folder {folder}: {error.strerror}") from error
    for leftover in folder.glob(f"{UNFINISHED}*"):
        # Another process may delete it at the same time.
        with suppress(OSError):
            if time.time() - leftover.stat().st_mtime > ABANDONED:
                shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
    return folder


@contextmanager
def locked(folder: Path, option: str, name: str = "", wait: float = 0) -> Iterator[Path]:
    """Create `folder` and lock it, or one checkpoint in it, against other writing processes for the block.

    The operating system releases the lock when the process ends, even if it is killed; the empty lock file stays. A
    thread may acquire a lock that it already holds. Reading needs no lock.

    Args:
        option: the command-line option that changes the folder or the name, for the error message.
        name: the checkpoint to lock; without it, the folder is locked, but not the checkpoints in it.
        wait: seconds to wait for another process.

    Raises:
        ValueError: another process holds the lock, or the folder can't be created, written to or locked.
    """
    # Importing filelock takes 0.1 s, which --help shouldn't wait for.
    from filelock import FileLock, Timeout

    lock = FileLock(output_folder(folder) / (f".{name}.lock" if name else ".lock"), blocking=False, is_singleton=True)
    try:
        held = lock.acquire(timeout=wait, blocking=wait > 0)
    except Timeout as error:
        raise ValueError(
            f"another process is writing to {folder / name}; wait until it finishes, or choose another {option}"
        ) from error
    except OSError as error:
        raise ValueError(f"can't lock {folder / name}: {error.strerror}; choose another {option}") from error
    with held:
        yield folder


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path that replaces `path` if the block succeeds, and is deleted if it fails.

    The temporary name keeps the suffix, from which Keras and Pillow infer the format.
    """
    temporary = path.with_name(f"{UNFINISHED}{secrets.token_hex(4)}-{path.name}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replacing_checkpoint(folder: Path, name: str, option: str = "name") -> Iterator[Path]:
    """Yield a temporary folder for the files of a checkpoint; if the block succeeds, they replace those in `folder`.

    The temporary folder is renamed when its files are whole, and from then on they are the checkpoint's: if they aren't
    all moved into place because the process is killed, `finish_replacing` moves the rest.

    Raises:
        ValueError: as `locked` does.
    """
    with (
        locked(folder, option, name),
        tempfile.TemporaryDirectory(prefix=f"{UNFINISHED}publishing-", dir=folder) as staging,
    ):
        finish_replacing(folder, name)
        yield Path(staging)
        Path(staging).rename(folder / f"{REPLACING}{name}")
        finish_replacing(folder, name)


def finish_replacing(folder: Path, name: str) -> None:
    """Move the new files of a checkpoint into place, if a process was killed while it did, or wait for it.

    Raises:
        ValueError: the folder can't be written to, or the other process takes too long.
    """
    staging = folder / f"{REPLACING}{name}"
    # A link may be somebody's who wants files from elsewhere moved here.
    if not staging.is_dir() or staging.is_symlink():
        return
    # The other process may have moved all meanwhile.
    with locked(folder, "name", name, wait=MOVING), suppress(FileNotFoundError):
        # The card comes first: a file that it doesn't describe is an earlier one.
        for file in sorted(staging.iterdir(), key=lambda file: file.suffix != ".json"):
            file.replace(folder / file.name)
        staging.rmdir()


def moved_below(paths: Iterable[Path], root: Path, folder: Path) -> Iterator[tuple[Path, Path]]:
    """Move files from below `root` to the same places below `folder`; yield each old and new path once it is moved.

    Raises:
        FileExistsError: something is at one of the new places; nothing is moved.
        ValueError: a folder can't be created or written to.
    """
    targets = {path: folder / path.relative_to(root) for path in paths}
    if existing := [target for target in targets.values() if os.path.lexists(target)]:
        raise FileExistsError(f"nothing moved, because {existing[0]} exists; choose another folder")
    for path, target in targets.items():
        output_folder(target.parent)
        if path.is_symlink():
            # A relative link would lead nowhere from another folder.
            target.symlink_to(path.resolve())
            path.unlink()
        else:
            shutil.move(path, target)
        yield path, target


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` as UTF-8, atomically."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_png(path: Path, image: "np.ndarray") -> None:
    """Write a greyscale image, uint8 (height, width), to `path` as PNG, atomically."""
    from PIL import Image

    with replacing(path) as temporary:
        Image.fromarray(image).save(temporary)


def sha256(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal.

    Raises:
        OSError: the file can't be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
