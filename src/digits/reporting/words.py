"""Numbers and lists in words, alike on the command line, in reports and on the page."""

from collections.abc import Sequence


def percent(probability: float) -> str:
    """A probability in per cent with one decimal, never rounded to certainty or to impossibility."""
    if probability > 0.999:
        return "> 99.9 %"
    return "< 0.1 %" if probability < 0.001 else f"{100 * probability:.1f} %"


def a_digit(digit: int) -> str:
    """A digit with its article: `a 7`, `an 8`."""
    return f"{'an' if digit == 8 else 'a'} {digit}"


def listing(words: Sequence[str], conjunction: str = "and") -> str:
    """Words as a sentence lists them: `a, b and c`."""
    *first, last = words
    return f"{', '.join(first)} {conjunction} {last}" if first else last
