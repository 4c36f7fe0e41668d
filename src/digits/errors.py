"""One-line messages for errors that a user can cause."""

import os
import reprlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager


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
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
