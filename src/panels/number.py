"""Number: all digits of a picture that has several, and the choice of the one that the rest of the page is about."""

from dataclasses import replace
from html import escape

import numpy as np
import streamlit as st

from digits import pictures, prediction
from digits.preprocess.several import Found
from panels import engine, page
from panels.draw import Drawing
from panels.engine import Model
from panels.verdict import LEAST_CONFIDENCE


def show(drawing: Drawing, model: Model) -> tuple[Drawing, np.ndarray]:
    """Show the number, where its digits stand and how sure the model is of each.

    Returns:
        The digit that is chosen, as if it had been drawn alone, and its probabilities, (10,).
    """
    images = np.stack([digit.prepared.image for digit in drawing.digits])
    probabilities = engine.probabilities(model, images)
    text = prediction.as_text(drawing.digits, probabilities)
    marked = prediction.mark_digits(drawing.picture, drawing.digits, probabilities)
    rows = text.split()
    # Long numbers have to fit beside the canvas, and many rows above the verdict.
    size = max(1, min(3, 28 / max(map(len, rows)), 6 / len(rows)))
    lines = "<br>".join(rows)
    st.html(
        '<p class="heading">Several digits</p><div class="number" role="status">'
        f'<b style="font-size:{size:.2f}rem">{lines}</b>'
        f'<img src="{pictures.data_uri(marked)}" alt="the picture with a box around each of {len(images)} digits">'
        "</div>"
        f'<div class="digits">{"".join(map(_figure, drawing.digits, probabilities))}</div>{_doubts(drawing)}'
    )
    answers = probabilities.argmax(axis=1)
    chosen = st.pills(
        "The rest of the page is about this one:",
        range(len(answers)),
        default=0,
        required=True,
        # Streamlit tells them apart by what they are called.
        format_func=lambda place: f"{place + 1}: {answers[place]}",
        # Another number of digits is another choice.
        key=f"digit_of_{len(answers)}",
        wrap=True,
    )
    prepared = drawing.digits[chosen].prepared
    picture = pictures.on_paper(prepared.image)
    alone = replace(drawing, picture=picture, image=prepared.image, steps=prepared.steps, digits=())
    return alone, probabilities[chosen]


def _figure(digit: Found, probabilities: np.ndarray) -> str:
    """A digit as the model sees it, with its answer and confidence."""
    answer, confidence = int(probabilities.argmax()), float(probabilities.max())
    is_sure = confidence >= LEAST_CONFIDENCE and not digit.doubt
    picture = page.picture(pictures.on_paper(digit.prepared.image), f"read as {answer}", 44)
    return (
        f'<figure title="{escape(digit.doubt)}">{picture}<figcaption><b>{answer}{"" if is_sure else "?"}</b><br>'
        f"{escape(page.percent(confidence))}</figcaption></figure>"
    )


def _doubts(drawing: Drawing) -> str:
    """Which digits may be something else, and what, as HTML."""
    places: dict[str, list[str]] = {}
    for place, digit in enumerate(drawing.digits, 1):
        if digit.doubt:
            places.setdefault(digit.doubt, []).append(str(place))
    doubts = [f"digit {page.listing(numbers)}: {doubt}" for doubt, numbers in places.items()]
    return f"<p>Doubtful: {escape('; '.join(doubts))}.</p>" if doubts else ""
