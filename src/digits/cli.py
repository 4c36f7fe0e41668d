"""What every script shares: its options, and errors in one line with exit status 2."""

from collections.abc import Callable
from typing import TypeVar

import tyro

from digits.errors import one_line_errors

Options = TypeVar("Options")


def run(main: Callable[[Options], None], options_type: type[Options], description: str) -> None:
    """Parse the command line and call `main` with it; an error that a user can cause becomes one line."""
    options = tyro.cli(options_type, description=description.strip())
    with one_line_errors():
        main(options)
