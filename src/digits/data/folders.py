"""Find the image files in folders: the one place that decides what counts as an image file."""

from dataclasses import dataclass
from pathlib import Path

from digits.preprocess import SUFFIXES


@dataclass(frozen=True)
class Scan:
    """What a folder contains, each sorted by path.

    Attributes:
        images: files with the suffix of an image, whether or not they can be read.
        others: files, and subfolders that weren't searched.
    """

    images: list[Path]
    others: list[Path]


def scan(folder: Path, recursive: bool = False) -> Scan:
    """List a folder's image files by their suffix; a folder that doesn't exist contains nothing.

    Names that begin with a dot are ignored, as are folders with such names: files that are being written, `.DS_Store`,
    macOS's AppleDouble files (`._NAME`).
    """
    images, others = [], []
    for path in sorted(folder.rglob("*") if recursive else folder.glob("*")):
        is_folder = path.is_dir()
        if any(part.startswith(".") for part in path.relative_to(folder).parts) or (is_folder and recursive):
            continue
        (others if is_folder or path.suffix.lower() not in SUFFIXES else images).append(path)
    return Scan(images, others)


def scan_classes(folder: Path) -> list[Scan]:
    """`scan` each of the subfolders `0` to `9`."""
    return [scan(folder / str(digit)) for digit in range(10)]
