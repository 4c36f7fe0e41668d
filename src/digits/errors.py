"""Errors that a user can cause, as sentences: what pydantic found wrong with a file, and what a script prints."""

import os
import reprlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager


def sentence(error: ValueError) -> str:
    """Of pydantic's errors the first, in one line: where, what was expected, and what came; others as they are."""
    # Importing it takes a tenth of a second, which --help needn't wait for.
    from pydantic import ValidationError

    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) if str(part).isidentifier() else repr(part) for part in first["loc"] if part != "[key]")
    what = first["msg"][0].lower() + first["msg"][1:]
    if first["type"] == "value_error":
        what = str(first["ctx"]["error"])
    elif first["type"] != "missing":
        what += f", got {reprlib.repr(first['input'])}"
    return f"{where}: {what}" if where else what


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Print a ValueError or OSError in one line and exit with status 2; DIGITS_TRACEBACK=1 shows where it arose."""
    try:
        yield
    except BrokenPipeError:
        # Whoever read the output, `head` for one, has had enough; Python must not flush into the closed pipe either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (ValueError, OSError) as error:
        if os.environ.get("DIGITS_TRACEBACK"):
            raise
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
