"""A model in a few plain words: what it is best at, how accurate and how fast it is, from cards and sweeps."""

import shlex
from contextlib import suppress

from digits import paths
from panels import cache, page
from panels.models import sweeps


def line(name: str) -> str:
    """A model in a line of plain text, such as `Best on damaged pages · 99.63 % · 0.7 ms`.

    For one without a card, how to evaluate it; for one that can't be opened, why.
    """
    file = cache.file_of(name)
    if file.suffix != ".json":
        command = shlex.join(["python", "src/evaluate.py", "--models", str(file.relative_to(paths.ROOT))])
        return f"No card yet: evaluate it with {command}"
    try:
        card = cache.card(name)
        test, seconds = card["scores"].get("test"), cache.seconds_a_digit(cache.open_model(name))
        parts = [
            ", ".join(_titles(name)) or card["description"].split(":")[0],
            f"{100 * test['accuracy']:.2f} %" if test else "",
            f"{1000 * seconds:.1f} ms" if seconds >= 0.0001 else "< 0.1 ms",
        ]
        return " · ".join(filter(None, parts))
    except (ValueError, OSError) as error:
        return page.without_folders(error)


def _titles(name: str) -> list[str]:
    """What a model is best at among all in `models/`, the first with a capital letter."""
    known = []
    for each in cache.model_names():
        with suppress(ValueError, OSError):
            known.append(cache.card(each))
    figures = {
        "most accurate": lambda card: card["scores"].get("test", {}).get("accuracy"),
        "best on damaged pages": sweeps.accuracy_when_damaged,
        "smallest": lambda card: -card["parameters"],
    }
    titles = []
    for title, figure in figures.items():
        scored = [(value, card["name"]) for card in known if (value := figure(card)) is not None]
        if len(scored) > 1 and max(scored)[1] == name:
            titles.append(title if titles else title.capitalize())
    return titles
