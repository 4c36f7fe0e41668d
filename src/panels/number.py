"""Number: all digits of a picture with several, and the choice of the one that the other panels are about."""

from collections.abc import Sequence
from dataclasses import replace
from html import escape

import streamlit as st

from digits.preprocess.segmentation import FoundDigit
from digits.recognition import batch
from digits.recognition.verdict import Verdict
from digits.reporting import thumbnails
from digits.reporting.words import listing
from panels import page
from panels.draw import Drawing


def show(drawing: Drawing, given: Sequence[Verdict]) -> None:
    """Show the number, the positions of its digits and the verdict on each."""
    marked = batch.mark_digits(drawing.picture, drawing.digits, given)
    rows = batch.as_text(drawing.digits, given).split()
    # Long numbers have to fit beside the canvas, and many rows above the verdict.
    size = max(1, min(3, 28 / max(map(len, rows)), 6 / len(rows)))
    lines = "<br>".join(rows)
    heading = "Several digits" if sum(verdict.is_familiar for verdict in given) > 1 else "More than a digit"
    st.html(
        f'<p class="heading">{heading}</p><div class="number" role="status">'
        f'<b style="font-size:{size:.2f}rem">{lines}</b>'
        f'<img src="{thumbnails.data_uri(marked)}" alt="the picture with a box around each of {len(given)} digits">'
        "</div>"
        f'<div class="digits">{"".join(map(_figure, drawing.digits, given))}</div>{_doubts(drawing)}'
    )


def choose(drawing: Drawing, given: Sequence[Verdict]) -> tuple[Drawing, Verdict]:
    """Let the visitor choose one of several digits: it, as if it had been drawn alone, and the verdict on it."""
    first = next((index for index, verdict in enumerate(given) if verdict.is_familiar), 0)
    chosen = st.pills(
        "The rest of the page is about this digit:",
        range(len(given)),
        default=first,
        required=True,
        # Streamlit tells them apart by their labels.
        format_func=lambda index: f"{index + 1}: {given[index].symbol}",
        # Another number of digits is another choice, and so is one that begins with a mark.
        key=f"digit_of_{len(given)}_{first}",
        wrap=True,
    )
    prepared = drawing.digits[chosen].prepared
    picture = thumbnails.on_paper(prepared.image)
    alone = replace(drawing, picture=picture, image=prepared.image, steps=prepared.steps, digits=())
    return alone, given[chosen]


def _figure(digit: FoundDigit, verdict: Verdict) -> str:
    """A digit as the model sees it, with the verdict."""
    mark = "?" if verdict.is_familiar and (digit.doubt or not verdict.is_sure) else ""
    picture = page.picture(thumbnails.on_paper(digit.prepared.image), f"read as {verdict.answer}", 44)
    return (
        f'<figure title="{escape(digit.doubt)}">{picture}<figcaption><b>{verdict.symbol}{mark}</b><br>'
        f"{escape(verdict.certainty)}</figcaption></figure>"
    )


def _doubts(drawing: Drawing) -> str:
    """Which digits may be something else, and what, as HTML."""
    positions: dict[str, list[str]] = {}
    for position, digit in enumerate(drawing.digits, 1):
        if digit.doubt:
            positions.setdefault(digit.doubt, []).append(str(position))
    doubts = [f"digit{'s' * (len(each) > 1)} {listing(each)}: {doubt}" for doubt, each in positions.items()]
    return f"<p>Doubtful: {escape('; '.join(doubts))}.</p>" if doubts else ""
