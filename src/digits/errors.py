"""One-line messages for errors that a user can cause."""

import os
import reprlib
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager

# A message may quote what a file contains.
LONGEST_MESSAGE = 1000


def in_one_line(error: Exception | str) -> str:
    """The message of an error as it is shown: printable, and with its middle left out if it is very long."""
    line = printable(str(error))
    half = LONGEST_MESSAGE // 2
    return line if len(line) <= LONGEST_MESSAGE else f"{line[: half - 3]} … {line[-half:]}"


def printable(text: str) -> str:
    """Text on one line, with Python's escapes for what changes how other characters are shown: marks of direction."""
    line = " ".join(text.split())
    if line.isprintable():
        return line
    return "".join(repr(each)[1:-1] if _changes_others(each) else each for each in line)


def _changes_others(character: str) -> bool:
    # Joiners are part of the spelling of Persian and of emoji.
    return unicodedata.category(character) in ("Cc", "Cf", "Cs") and character not in "\u200c\u200d"


def sentence(error: ValueError) -> str:
    """The message of an error; of a pydantic validation error, its first problem in one line."""
    # Importing pydantic takes 0.1 s, which --help shouldn't wait for.
    from pydantic import ValidationError

    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) if str(part).isidentifier() else repr(part) for part in first["loc"] if part != "[key]")
    what = first["msg"][0].lower() + first["msg"][1:]
    if first["type"] == "value_error":
        what = str(first.get("ctx", {})["error"])
    elif first["type"] != "missing":
        what += f", got {reprlib.repr(first['input'])}"
    return f"{where}: {what}" if where else what


def check_ranges(values: object, *ranges: tuple[str, bool, str]) -> None:
    """Check attributes of `values`.

    Args:
        ranges: names of attributes, whether each is in its range, and what that is in words.

    Raises:
        ValueError: one isn't.
    """
    for name, is_valid, expected in ranges:
        if not is_valid:
            raise ValueError(f"expected {name} {expected}, got {getattr(values, name)}")


def seed_range(seed: int) -> tuple[str, bool, str]:
    """The range of `random_seed`, which NumPy and Keras share."""
    return "random_seed", 0 <= seed < 2**32, "from 0 to 4294967295"


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Print a ValueError or OSError in one line and exit with status 2; DIGITS_TRACEBACK=1 shows the traceback."""
    try:
        yield
    except BrokenPipeError:
        # The reader of the output, `head` for example, has closed the pipe; Python must not flush into it on exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (ValueError, OSError) as error:
        if os.environ.get("DIGITS_TRACEBACK"):
            raise
        print(f"error: {in_one_line(error)}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
