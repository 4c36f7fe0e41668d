"""Tables: Markdown for a terminal, and those of reports, which can be sorted and downloaded as CSV and as LaTeX."""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from digits.errors import printable

LATEX = {each: f"\\{each}" for each in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "–": "--",
    "…": r"\dots{}",
    "×": r"$\times$",
    "σ": r"$\sigma$",
    "<": r"$<$",
    ">": r"$>$",
}


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table with its first column aligned left and all others right."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


@dataclass(frozen=True)
class Cell:
    """What a report's table shows in one place.

    Attributes:
        text: as it is shown.
        value: the number behind the text, in full precision; None if it is just text.
        interval: the bounds of `value`, in full precision; empty if it has none.
        note: shown below in small type: the interval.
        link: where the text leads.
    """

    text: str
    value: float | None = None
    interval: Sequence[float | None] = ()
    note: str = ""
    link: str = ""


def number(value: float, form: str = ".2f", unit: str = "", times: float = 1, interval: Sequence[float] = ()) -> Cell:
    """A number, shown `times` as large in a format such as ".2f", with a unit and, below, its interval."""
    # Nothing is shown as minus zero.
    form = form.replace(".", "z.")
    # A dash beside a minus would be hard to read.
    note = (" to " if min(interval, default=0) < 0 or "+" in form else " – ").join(
        f"{times * bound:{form}}" for bound in interval
    )
    return Cell(f"{times * value:{form}}{unit}", value, interval, note)


def percent(value: float, places: int = 2, interval: Sequence[float] = ()) -> Cell:
    """A share in per cent."""
    return number(value, f".{places}f", " %", 100, interval)


def points(difference: float, interval: Sequence[float]) -> Cell:
    """A difference of two shares, shown and kept in percentage points."""
    return number(100 * difference, "+.2f", interval=[100 * bound for bound in interval])


def percent_estimate(estimate: Mapping[str, float] | None, places: int = 2) -> Cell | None:
    """An estimated share, with its `value`, `low` and `high`, in per cent; None stays None."""
    return percent(estimate["value"], places, (estimate["low"], estimate["high"])) if estimate else None


@dataclass(frozen=True)
class Table:
    """A table of a report, without the columns that have nothing to show.

    Attributes:
        name: of its files, and its label in LaTeX.
        caption: a sentence.
        columns: the header and cells of each; text and whole numbers are shown as they are, None as a dash. The first
            column names the rows.
        best: the header of the column whose largest value is emphasised if there are several rows.
    """

    name: str
    caption: str
    columns: Sequence[tuple[str, Sequence[Cell | str | int | None]]]
    best: str = ""
    header: list[str] = field(init=False)
    rows: list[tuple[Cell, ...]] = field(init=False)

    def __post_init__(self):
        filled = [(header, cells) for header, cells in self.columns if any(each not in (None, "") for each in cells)]
        object.__setattr__(self, "header", [header for header, _ in filled])
        object.__setattr__(self, "rows", list(zip(*(map(_cell, cells) for _, cells in filled), strict=True)))

    def is_best(self, column: int, cell: Cell) -> bool:
        """Whether a cell is to be emphasised."""
        values = [value for row in self.rows if (value := row[column].value) is not None]
        return self.header[column] == self.best and len(values) > 1 and cell.value == max(values)

    def markdown(self) -> str:
        """The table as `markdown_table` writes it."""
        return markdown_table(self.header, [[_with_note(cell).replace(" %", "%") for cell in row] for row in self.rows])

    def csv(self) -> str:
        """The table as CSV, its numbers in full precision and as they were given, so 0.5 for 50 %."""
        bounds = [max(len(cell.interval) for cell in column) for column in zip(*self.rows, strict=True)]
        header = [
            [name, f"{name} low", f"{name} high"][: 1 + count] for name, count in zip(self.header, bounds, strict=True)
        ]
        rows = [
            [(_raw(cell), *(cell.interval or [None] * count)) for cell, count in zip(row, bounds, strict=True)]
            for row in self.rows
        ]
        written = io.StringIO()
        csv.writer(written).writerows(map(chain.from_iterable, [header, *rows]))
        return written.getvalue()

    def latex(self) -> str:
        """The table for a paper."""
        rows = [
            [
                rf"\textbf{{{_latex_cell(cell)}}}" if self.is_best(place, cell) else _latex_cell(cell)
                for place, cell in enumerate(row)
            ]
            for row in self.rows
        ]
        header, *body = (f"{' & '.join(line)} \\\\" for line in [map(_latex, self.header), *rows])
        return rf"""% Needs \usepackage{{booktabs}}.
\begin{{table}}
\centering
\caption{{{_latex(self.caption)}}}
\label{{tab:{self.name}}}
\begin{{tabular}}{{l{"r" * (len(self.header) - 1)}}}
\toprule
{header}
\midrule
{chr(10).join(body)}
\bottomrule
\end{{tabular}}
\end{{table}}
"""


def _cell(content: Cell | str | int | None) -> Cell:
    if isinstance(content, Cell):
        return content
    return Cell("–") if content is None else Cell(str(content), None if isinstance(content, str) else content)


def _with_note(cell: Cell) -> str:
    return f"{cell.text} ({cell.note})" if cell.note else cell.text


def _raw(cell: Cell) -> float | str:
    return printable(cell.text.strip("–")) if cell.value is None else cell.value


def _latex(text: str) -> str:
    return "".join(LATEX.get(character, character) for character in printable(text))


def _latex_cell(cell: Cell) -> str:
    text = _latex(_with_note(cell))
    # A hyphen before a number is a minus sign.
    return text if cell.value is None else re.sub(r"(?<!-)-(?=\d)", "$-$", text)
