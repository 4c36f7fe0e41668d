"""The collection of a user's handwriting: pictures in `my_digits/DIGIT/`, saved, listed and removed."""

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from digits import files, paths, preprocess
from digits.data import folders

# At most about 1.6 GB of pictures, so that a loop can't fill the disk.
LARGEST_COUNT = 10_000
# Seconds that another change may take: one at a time, so that a drawing can't be saved as two digits at once.
CHANGING = 10


@dataclass(frozen=True)
class Entry:
    """A picture in the collection; its file is read once, when its image is needed.

    Attributes:
        path: the path of the file.
        digit: its label.
        saved: the time of saving, in nanoseconds since 1970.
    """

    path: Path
    digit: int
    saved: int

    @property
    def image(self) -> np.ndarray | None:
        """The preprocessed image, uint8 (28, 28), read-only; None if the file can't be read."""
        return _read(self.path, self.saved)[0]

    @property
    def problem(self) -> str:
        """Why the file can't be read; empty if it can."""
        return _read(self.path, self.saved)[1]


def save(drawing: np.ndarray, digit: int, folder: Path = paths.MY_DIGITS, prefix: str = "") -> Path:
    """Save a drawing as an example of `digit`, unless it is saved already.

    Args:
        drawing: uint8 (height, width); a large one is saved at the working size of `preprocess`.
        prefix: what the file's name begins with.

    Returns:
        The path of its file.

    Raises:
        ValueError: it isn't such an array, it is blank, it is saved as another digit, the collection is full, or the
            folder can't be written to, or another process takes too long to change it.
    """
    if not (isinstance(drawing, np.ndarray) and drawing.dtype == np.uint8 and drawing.ndim == 2 and drawing.size):
        got = f"{drawing.dtype} {drawing.shape}" if isinstance(drawing, np.ndarray) else type(drawing).__name__
        raise ValueError(f"expected a drawing as uint8 (height, width), got {got}")
    if digit not in range(10):
        raise ValueError(f"expected a digit from 0 to 9, got {digit!r}")
    drawing = preprocess.at_working_size(drawing)
    preprocess.prepare(drawing)
    name = name_of(drawing, prefix)
    path = folder / f"{int(digit)}" / name
    with files.locked(folder, "--digits-dir", wait=CHANGING):
        saved = entries(folder)
        saved_as = [entry.digit for entry in saved if entry.path.name == name]
        if digit in saved_as:
            return path
        if saved_as:
            raise ValueError(
                f"this drawing is already saved as a {saved_as[0]} ({saved_as[0]}/{name}); remove that one first"
            )
        if len(saved) >= LARGEST_COUNT:
            raise ValueError(f"the collection is full: it has {len(saved):,} pictures; remove some first")
        files.write_png(files.output_folder(path.parent) / name, drawing)
    return path


def name_of(drawing: np.ndarray, prefix: str = "") -> str:
    """The name of a drawing's file, made from the pixels alone, so that no text that anyone typed becomes a path."""
    return f"{prefix}{hashlib.sha256(f'{drawing.shape}'.encode() + drawing.tobytes()).hexdigest()[:16]}.png"


def entries(folder: Path = paths.MY_DIGITS) -> list[Entry]:
    """The collection's pictures by digit, the oldest first: those that `data.load_labelled` reads.

    Files that can't be read are included; a folder that doesn't exist contains none.
    """
    found = []
    for picture in folders.scan_labelled(folder).pictures:
        # Another session may have removed it in the meantime.
        with suppress(FileNotFoundError):
            found.append(Entry(picture.path, picture.digit, picture.path.lstat().st_mtime_ns))
    return sorted(found, key=lambda entry: (entry.digit, entry.saved, entry.path.name))


def remove(name: str, digit: int, folder: Path = paths.MY_DIGITS) -> None:
    """Delete the picture of `digit` whose file has this name.

    Raises:
        ValueError: the collection has no such picture, or another process takes too long to change it.
        OSError: it can't be deleted.
    """
    with files.locked(folder, "--digits-dir", wait=CHANGING):
        for entry in entries(folder):
            if (entry.path.name, entry.digit) == (name, digit):
                entry.path.unlink()
                return
    raise ValueError(f"there is no picture {name!r} of a {digit} in the collection")


def _read(path: Path, saved: int) -> tuple[np.ndarray | None, str]:
    try:
        return _prepared(path, saved), ""
    except (ValueError, OSError) as error:
        return None, str(error)


@lru_cache(maxsize=LARGEST_COUNT)
def _prepared(path: Path, saved: int) -> np.ndarray:
    """The image of a file as it was when `saved`."""
    image = preprocess.prepare(preprocess.read_grey(path)).image
    # All sessions get the same array.
    image.flags.writeable = False
    return image
