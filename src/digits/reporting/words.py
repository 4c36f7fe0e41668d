"""Numbers and lists in words, alike on the command line, in reports and on the page."""

import unicodedata
from collections.abc import Sequence


def percent(probability: float) -> str:
    """A probability in per cent with one decimal, never rounded to certainty or to impossibility."""
    if probability > 0.999:
        return "> 99.9 %"
    return "< 0.1 %" if probability < 0.001 else f"{100 * probability:.1f} %"


def printable(text: str) -> str:
    """Text on one line, with Python's escapes for what changes how other characters are shown: marks of direction."""
    line = " ".join(text.split())
    if line.isprintable():
        return line
    return "".join(repr(each)[1:-1] if _changes_others(each) else each for each in line)


def _changes_others(character: str) -> bool:
    # Joiners are part of the spelling of Persian and of emoji.
    return unicodedata.category(character) in ("Cc", "Cf", "Cs") and character not in "\u200c\u200d"


def listing(words: Sequence[str]) -> str:
    """Words as a sentence lists them: `a, b and c`."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
