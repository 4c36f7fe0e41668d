"""What every script shares: its options, and errors in one line with exit status 2."""

import io
import re
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import redirect_stderr
from dataclasses import is_dataclass
from types import MappingProxyType
from typing import Any, TypeVar

import tyro

from digits.errors import one_line_errors

Options = TypeVar("Options")


def run(
    main: Callable[[Options], None],
    options_type: type[Options],
    description: str | None,
    former_names: Mapping[str, str] = MappingProxyType({}),
    without_effect: Callable[[Options], Mapping[str, Collection[str]]] = lambda _: {},
    without_value: Collection[str] = (),
    by_architecture: Mapping[str, Options] = MappingProxyType({}),
) -> None:
    """Parse the command line and call `main` with it; an error that a user can cause becomes one line.

    Args:
        former_names: former names of options, which are still accepted, to their present names, both as in Python.
        without_effect: returns the options that others leave without effect, in lists by the reason, such as "with
            --image"; it is an error to give one of them.
        without_value: options whose value may be left out at the end or before another option; it is then empty.
        by_architecture: other defaults, by the values of `--architecture` that bring them.
    """
    arguments = [_renamed(argument, former_names) for argument in sys.argv[1:]]
    for index, (argument, following) in enumerate(zip(arguments, [*arguments[1:], "--"], strict=False)):
        if following.startswith("--") and _name(argument) in without_value:
            arguments[index] = f"{argument}="
    # A file's name, or one of our own signs, may not exist in the encoding of the terminal.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    with one_line_errors():
        default = by_architecture.get(_value_of("architecture", arguments))
        options = _parsed(options_type, arguments, (description or "").strip(), default)
        _check_given(arguments, options, without_effect(options))
        main(options)


def _renamed(argument: str, former_names: Mapping[str, str]) -> str:
    option, equals, value = argument.partition("=")
    return f"--{former_names[name]}{equals}{value}" if (name := _name(option)) in former_names else argument


def _name(argument: str) -> str:
    """The Python name of the option that an argument is; empty if it is none, or one with a value."""
    is_option = re.fullmatch("--[A-Za-z0-9_-]+", argument)
    return argument.removeprefix("--").replace("-", "_") if is_option else ""


def _value_of(name: str, arguments: Sequence[str]) -> str:
    """The last value given for an option; empty if there is none."""
    values = [
        argument.partition("=")[2] or following
        for argument, following in zip(arguments, [*arguments[1:], ""], strict=False)
        if _name(argument.partition("=")[0]) == name
    ]
    return values[-1] if values else ""


def _parsed(
    options_type: type[Options], arguments: Sequence[str], description: str, default: Options | None
) -> Options:
    """The options, from a command line that may be wrong; tyro's errors have many lines."""
    printed = io.StringIO()
    given: dict[str, Any] = {"default": default} if default else {}
    try:
        with redirect_stderr(printed):
            return tyro.cli(options_type, args=arguments, description=description, **given)
    except SystemExit as ended:
        if not ended.code:
            raise
    raise ValueError(_in_one_line(printed.getvalue()))


def _in_one_line(box: str) -> str:
    """What is wrong, by tyro's box of an error, and which options were perhaps meant."""
    # Below its title, rules separate what is wrong, options like those given, and where help is.
    parts = re.split(r"\n[│ ]*[─-]+[│ ]*(?=\n)", box.partition("\n")[2].lstrip(" -\n"))
    wrong, similar_options = (" ".join(part.replace("│", " ").split()) for part in (parts[0], "".join(parts[1:])))
    problem = wrong.rstrip(".")
    # What a dataclass of options says itself.
    if own := re.fullmatch(r"Error parsing \w+: (.*)", problem):
        return own[1]
    meant = re.findall(r"(?<= )--(?!help)[\w-]+(?![\w:-])", similar_options)
    similar = f"; similar: {', '.join(meant)}" if meant and problem.startswith("Unrecognized") else ""
    return f"{problem}{similar}; --help lists all options"


def _check_given(arguments: Sequence[str], options: object, without_effect: Mapping[str, Collection[str]]) -> None:
    """Check that each option on the command line has a value and an effect.

    Raises:
        ValueError: one doesn't.
    """
    given = {
        _name(option).removeprefix("no_"): option
        for option in (argument.partition("=")[0] for argument in arguments)
        if _name(option)
    }
    values: dict[str, Any] = {}
    for part in (options, *vars(options).values()):
        values |= vars(part) if is_dataclass(part) else {}
    for name, argument in given.items():
        if values.get(name) == ():
            raise ValueError(f"expected one or more values after {argument}")
    for reason, names in without_effect.items():
        if unused := [argument for name, argument in given.items() if name in names]:
            raise ValueError(f"{', '.join(unused)} {'has' if len(unused) == 1 else 'have'} no effect {reason}")
