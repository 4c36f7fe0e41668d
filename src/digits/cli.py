"""What every script shares: its options, and errors in one line with exit status 2."""

import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeVar

import tyro

from digits.errors import one_line_errors

Options = TypeVar("Options")


def run(
    main: Callable[[Options], None],
    options_type: type[Options],
    description: str | None,
    former_names: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Parse the command line and call `main` with it; an error that a user can cause becomes one line.

    Args:
        former_names: former names of options, which are still accepted, to their present names, both as in Python.
    """
    arguments = [_renamed(argument, former_names) for argument in sys.argv[1:]]
    options = tyro.cli(options_type, args=arguments, description=(description or "").strip())
    with one_line_errors():
        main(options)


def _renamed(argument: str, former_names: Mapping[str, str]) -> str:
    option, equals, value = argument.partition("=")
    name = option.removeprefix("--").replace("-", "_")
    if not option.startswith("--") or name not in former_names:
        return argument
    return f"--{former_names[name]}{equals}{value}"
