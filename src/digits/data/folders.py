"""Find the image files in folders, and their labels: the one place that decides what counts as either."""

import os
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from digits.data import names
from digits.errors import printable
from digits.preprocess import SUFFIXES
from digits.preprocess.decoding import UNREADABLE

# The simulated writer in `my_digits`; not to be mixed with a person's own digits.
SAMPLE = "sample"
# Files that explain or belong to a folder, and needn't be mentioned.
UNMENTIONED = {"readme", "readme.md", "readme.txt", "license", "licence", "thumbs.db", "desktop.ini"}
UNLABELLED = "no digit in its name"
HEIC_SUFFIXES = (".heic", ".heif", ".hif")
# For error messages: how folders are read, and the number of reasons for passing over something.
SAID_REASONS = 3
LAYOUT = "pictures in folders 0 to 9, or with names such as 7_anna.png"


@dataclass(frozen=True)
class Scan:
    """What a folder contains, each sorted by path.

    Attributes:
        images: files with the suffix of an image, whether or not they can be read.
        others: files, and subfolders that weren't searched.
        hidden: files that would be among the images if their names didn't begin with a dot.
    """

    images: list[Path]
    others: list[Path]
    hidden: list[Path]


@dataclass(frozen=True)
class Picture:
    """An image file with its label.

    Attributes:
        digit: 0 to 9.
        part: the part of the data set that its folders name: `train`, `validation`, `test`, or empty.
    """

    path: Path
    digit: int
    part: str = ""


@dataclass(frozen=True)
class LabelledScan:
    """The labelled pictures in a folder.

    Attributes:
        pictures: sorted by digit, then by path.
        unlabelled: image files whose names say no digit.
        passed_over: the reason by path, relative to the folder, for everything else and for those in `unlabelled`.
    """

    pictures: list[Picture]
    unlabelled: list[Path]
    passed_over: dict[str, str]


def scan(folder: Path, recursive: bool = False) -> Scan:
    """List a folder's image files by their suffix; a folder that doesn't exist contains nothing.

    Names that begin with a dot aren't listed with the others, nor are folders with such names: files that are being
    written, `.DS_Store`, macOS's AppleDouble files (`._NAME`).
    """
    images, others, hidden, visited = [], [], [], set()

    def note(error: OSError) -> None:
        if isinstance(error, PermissionError):
            others.append(Path(error.filename))

    for parent, subfolders, files in os.walk(folder, onerror=note, followlinks=True):
        # Links may lead in circles.
        is_new = os.path.realpath(parent) not in visited
        visited.add(os.path.realpath(parent))
        paths = [Path(parent, name) for name in files if is_new]
        if recursive and is_new:
            subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        else:
            others += [Path(parent, name) for name in subfolders if is_new and not name.startswith(".")]
            subfolders.clear()
        for path in paths:
            is_image = path.suffix.lower() in SUFFIXES
            if not path.name.startswith("."):
                (images if is_image else others).append(path)
            elif is_image:
                hidden.append(path)
    return Scan(sorted(images), sorted(others), sorted(hidden))


def scan_labelled(folder: Path, one_part: bool = True) -> LabelledScan:
    """Find the labelled pictures in a folder and in those inside it.

    The label is the digit that names the closest folder (`names.digit_of_folder`), or else the one that the file's name
    begins with. What is ambiguous isn't labelled: pictures in folders of two digits one inside the other, names that
    may be indices, as in `3_7.png` beside `12_7.png`, and folders 1 to 10.

    Args:
        one_part: pass over all pictures if they are of several parts of a data set, such as `train` and `test`.
    """
    found = scan(folder, recursive=True)
    pictures, unlabelled = [], []
    passed_over = {_relative(path, folder): reason for path, reason in why_passed_over(found.others).items()}
    numbering, indexed = _numbering(found.images, folder), _begin_with_indices(found.images)
    parents = {path: path.relative_to(folder).parent.parts for path in found.images}
    in_folders = {path: _digits_of_folders(parents[path]) for path in found.images}
    has_classes = any(in_folders.values())
    for path in found.images:
        digits = in_folders[path]
        if not digits and re.fullmatch("[0-9]", own := folder.resolve().name):
            digits = [int(own)]
        # Beside folders of digits, another folder is rather something else than one of names with digits.
        by_name = path not in indexed and not (has_classes and parents[path])
        if not digits and by_name and (digit := names.digit_of_file(path.stem)) is not None:
            digits = [digit]
        problem = numbering
        if parents[path][:1] == (SAMPLE,):
            problem = f"the folder {SAMPLE} is read only by itself: name it"
        elif len(digits) > 1:
            problem = f"folders of {' and '.join(map(str, digits))}, one inside the other"
        elif not digits:
            problem = "names with numbers above 9 look like indices, not labels" if path in indexed else UNLABELLED
            unlabelled.append(path)
        if problem:
            passed_over[_relative(path, folder)] = problem
        else:
            pictures.append(Picture(path, digits[0], names.part_of(" ".join(parents[path]))))
    parts = sorted({picture.part for picture in pictures} - {""})
    if one_part and len(parts) > 1:
        problem = f"pictures of {' and '.join(parts)}: name the folder of one of them"
        passed_over |= {_relative(picture.path, folder): problem for picture in pictures}
        pictures = []
    return LabelledScan(sorted(pictures, key=lambda picture: (picture.digit, picture.path)), unlabelled, passed_over)


def why_passed_over(others: Sequence[Path]) -> dict[Path, str]:
    """Why what isn't among a folder's images is passed over; without files that needn't be mentioned."""
    reasons = {}
    for path in others:
        if path.is_dir():
            reasons[path] = "a folder that can't be opened"
        elif path.name.lower() not in UNMENTIONED:
            reasons[path] = UNREADABLE[b"ftyp"] if path.suffix.lower() in HEIC_SUFFIXES else "not an image"
    return reasons


def summary(passed_over: Mapping[str, str]) -> list[str]:
    """What was passed over and why, a line for each reason."""
    by_reason = defaultdict(list)
    for name, reason in passed_over.items():
        by_reason[reason].append(name)
    return [
        f"{printable(found[0])}{f' and {len(found) - 1:,} more' if len(found) > 1 else ''}: {printable(reason)}"
        for reason, found in by_reason.items()
    ]


def refusal(folder: Path, passed_over: Mapping[str, str]) -> str:
    """What to say of a folder without labelled pictures."""
    return f"expected {LAYOUT}, in {folder}, found none{said(passed_over)}"


def said(passed_over: Mapping[str, str]) -> str:
    """The end of an error message: what was passed over, for the first few reasons."""
    return "".join(f"; passed over {line}" for line in summary(passed_over)[:SAID_REASONS])


def _digits_of_folders(parents: Sequence[str]) -> list[int]:
    return sorted({digit for name in parents if (digit := names.digit_of_folder(name)) is not None})


def _numbering(images: Sequence[Path], folder: Path) -> str:
    """Why the numbers of the folders can't be told to be digits; empty if they can."""
    parents = {name.lower() for path in images for name in path.relative_to(folder).parent.parts}
    if {str(number) for number in range(1, 11)} <= parents and "0" not in parents:
        return "folders 1 to 10 don't say which one holds the zeros: rename them after their digits"
    if {"sample000", "sample001"} <= parents:
        return "folders from Sample000 aren't those of Chars74K: rename them after their digits"
    return ""


def _begin_with_indices(images: Sequence[Path]) -> set[Path]:
    """Files whose name begins with a number that is rather an index than a label.

    Of the names of the same form in that folder, one begins with 10, or no fewer begin with numbers above 9 than with
    others.
    """
    forms = defaultdict(dict)
    for path in images:
        if numbered := re.match("([0-9]+)(.*)", path.stem):
            forms[path.parent, re.sub("[0-9]+", "#", numbered[2])][path] = int(numbered[1])
    indices = set()
    for numbers in forms.values():
        above = sum(number > 9 for number in numbers.values())
        if 10 in numbers.values() or 2 * above >= len(numbers):
            indices |= numbers.keys()
    return indices


def _relative(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()
