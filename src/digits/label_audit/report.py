"""The report of an audit: one HTML page with the digits to look at, and a table of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from digits.errors import printable
from digits.files import write_text
from digits.label_audit.labelled import Labelled
from digits.label_audit.suspects import Suspect
from digits.reporting import tables
from digits.reporting.figures import digit_grid
from digits.reporting.html import write_figures, write_page
from digits.reporting.tables import Table
from digits.reporting.thumbnails import data_uri, on_paper
from digits.reporting.words import percent

# On the contact sheet, and on the page.
MOST_ON_SHEET, MOST_SHOWN = 100, 400


def write(
    suspects: Sequence[Suspect], labelled: Labelled, judged_by: str, folder: Path, hashes: Mapping[str, str]
) -> Path:
    """Write `report.html`, `suspects.csv` and, if there is something to show, `contact_sheet.png`.

    Args:
        judged_by: the model or networks, as shown on the page.
        hashes: SHA-256 of the checkpoint, by its name.

    Returns:
        The path of the HTML page.
    """
    write_text(folder / "suspects.csv", _table(suspects, labelled).csv())
    shown = suspects[:MOST_ON_SHEET]
    sheet = digit_grid(
        labelled.digits.images[[each.index for each in shown]],
        [f"{each.given}, read as {each.suggested}" for each in shown],
        wrong=[each.is_probable for each in shown],
    )
    return write_page(
        folder,
        "labels.html.j2",
        source=labelled.source,
        count=len(labelled.digits),
        judged_by=judged_by,
        groups=[
            ("Probably mislabelled", _shown([each for each in suspects if each.is_probable], labelled)),
            ("Other disagreements", _shown([each for each in suspects if not each.is_probable], labelled)),
        ],
        most=MOST_SHOWN,
        seeds="0 for the folds, if there are any",
        hashes={**hashes, "digits": labelled.digits.sha256},
        pictures=write_figures({"contact_sheet": sheet} if shown else {}, folder),
    )


def summary(suspects: Sequence[Suspect], labelled: Labelled) -> str:
    """What was found, in a few lines of text."""
    probable = [each for each in suspects if each.is_probable]
    lines = [
        f"{len(labelled.digits):,} digits of {printable(labelled.source)}: {len(probable)} probably mislabelled, "
        f"{len(suspects) - len(probable)} other disagreements"
    ]
    lines += [
        f"  {printable(labelled.name(each.index))}: labelled {each.given}, read as {each.suggested} "
        f"({percent(each.suggested_probability)})"
        for each in probable[:10]
    ]
    return "\n".join(lines)


def _table(suspects: Sequence[Suspect], labelled: Labelled) -> Table:
    columns = [
        ("digit", [labelled.name(each.index) for each in suspects]),
        ("label", [each.given for each in suspects]),
        ("read as", [each.suggested for each in suspects]),
        ("probability of the label", [tables.number(each.given_probability) for each in suspects]),
        ("probability of the answer", [tables.number(each.suggested_probability) for each in suspects]),
        ("probably wrong", [int(each.is_probable) for each in suspects]),
    ]
    return Table("suspects", "Digits whose label the model contradicts.", columns)


def _shown(suspects: Sequence[Suspect], labelled: Labelled) -> list[dict]:
    return [
        {
            "label": each.given,
            "answer": each.suggested,
            "note": f"{percent(each.suggested_probability)} {'/'.join(Path(labelled.name(each.index)).parts[-2:])}",
            "source": data_uri(on_paper(labelled.digits.images[each.index])),
        }
        for each in suspects[:MOST_SHOWN]
    ]
