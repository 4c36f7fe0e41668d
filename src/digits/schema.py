"""What files declare, checked by pydantic when it is read: here, what is wrong with it becomes a sentence."""

import reprlib

from pydantic import ValidationError


def sentence(error: ValueError) -> str:
    """Of pydantic's errors the first, in one line: where, what was expected, and what came; others as they are."""
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
