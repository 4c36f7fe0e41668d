"""What names of files, folders, arrays and labels say: a digit, a part of a data set, images or labels."""

import re

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
PARTS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "validation"),
    **dict.fromkeys(("test", "testing", "t10k"), "test"),
}
PART_NAMES = ("", "train", "validation", "test")
KINDS = {
    **dict.fromkeys(("x", "image", "images", "data", "pixels"), "images"),
    **dict.fromkeys(("y", "label", "labels", "target", "targets", "class", "classes"), "labels"),
}
# Words beside the digit in the name of a class's folder.
_FILLERS = {"digit", "digits", "class", "label", "number", "num", "images", "img", *PARTS}
# In Chars74K, the digits are the first ten of 62 classes.
_CHARS74K = re.compile("sample0(0[1-9]|10)")


def tokens(name: str) -> list[str]:
    """The words and numbers in a name, in lower case; `t10k` and the like are one."""
    return re.findall("[a-z0-9]+", re.sub("([a-z0-9])([A-Z])", r"\1_\2", name).lower())


def part_of(name: str) -> str:
    """The part of a data set that a name mentions: `train`, `validation` or `test`; empty if none or several."""
    parts = {PARTS[token] for token in tokens(name) if token in PARTS}
    return parts.pop() if len(parts) == 1 else ""


def digit_of_label(label: str) -> int | None:
    """The digit that a label is: `7`, `seven`, `Seven`, `7.0`; None if it is something else."""
    label = label.strip().lower()
    if label in WORDS:
        return WORDS.index(label)
    return int(label[0]) if re.fullmatch(r"[0-9](\.0+)?", label) else None


def digit_of_folder(name: str) -> int | None:
    """The digit whose pictures a folder with this name contains; None if it names none, or several.

    Such names are `7`, `seven`, `digit_7`, `class7`, `7_train`, and `Sample008` of Chars74K, which begins with 1 for 0.
    """
    if chars74k := _CHARS74K.fullmatch(name.lower()):
        return int(chars74k[1]) - 1
    found = set()
    for token in re.findall(r"[a-z]+|[0-9]+|[^\W_]+", name.lower()):
        digit = digit_of_label(token)
        if digit is None and token not in _FILLERS:
            return None
        found |= set() if digit is None else {digit}
    return found.pop() if len(found) == 1 else None


def digit_of_file(stem: str) -> int | None:
    """The digit that a file's name begins with, as in `7_anna`, `seven-2`, `digit_7_001`; None without one."""
    beginning = re.match(
        f"(?:(?:digit|class|label)[ _-]*)?([0-9]|(?:{'|'.join(WORDS)})(?![a-z]))(?![0-9])", stem.lower()
    )
    return digit_of_label(beginning[1]) if beginning else None
