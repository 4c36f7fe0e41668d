"""Stress: the same drawing under every corruption, live, and where the answer changes."""

from html import escape

import numpy as np
import streamlit as st

from digits.corruptions import CORRUPTIONS, SEVERITIES, geometry
from digits.recognition.verdict import Verdict
from digits.reporting import thumbnails
from digits.reporting.words import a_digit, percent
from digits.robustness import worst_case
from panels import cache, fool, page
from panels.cache import Model
from panels.draw import Drawing

SEED = 0
KINDS = {
    "noise": "Noise",
    "blur": "Blur",
    "geometry": "Geometry",
    "stroke": "Stroke",
    "light": "Light",
    "marks": "Marks on the page",
}


def show(drawing: Drawing, verdict: Verdict, model: Model) -> None:
    """Show the verdicts on the drawing under the visitor's own mixture, and under every corruption and severity."""
    expected = verdict.answer if drawing.label is None else drawing.label
    with st.expander("Fool it: how few strokes or pixels change the answer?"), page.guarded("Fool it"):
        fool.show(drawing, verdict, model)
    _show_mixture(drawing, model, expected)
    corrupted = worst_case.all_corruptions(drawing.image, SEED)
    verdicts = np.array(cache.verdicts(model, corrupted.reshape(-1, 28, 28)), object).reshape(corrupted.shape[:2])
    probabilities = np.array([[each.probabilities for each in row] for row in verdicts])
    answers = probabilities.argmax(axis=2)[:, 1:]
    st.html(
        f"<p class='heading'>{(answers == expected).sum()} of {answers.size} corrupted copies are read as "
        f"{a_digit(expected)}{' (as without corruption)' if drawing.label is None else ' (the true digit)'}</p>"
    )
    flips = worst_case.least_flipping_severity(probabilities)
    rows = [
        _row(name, images, given, flips[name], expected)
        for name, images, given in zip(CORRUPTIONS, corrupted, verdicts, strict=True)
    ]
    header = ["Corruption", *(f"{severity}" for severity in SEVERITIES), "Flips"]
    half = len(rows) // 2
    halves = [page.table(header, part, "stress") for part in (rows[:half], rows[half:])]
    st.html(f"<div class='halves'>{''.join(halves)}</div>")
    st.caption(
        "The columns are severities. Green digits are read as expected, red ones aren't; stronger colours mean higher "
        "confidence, and ? means that the model isn't sure. A higher severity is more of the same corruption."
    )


def _row(name: str, images: np.ndarray, verdicts: np.ndarray, flip: int | None, expected: int) -> str:
    corruption = CORRUPTIONS[name]
    cells = [
        _cell(images[severity], verdicts[severity], expected, f"{_words(name)}, severity {severity}")
        for severity in SEVERITIES
    ]
    flips = "never" if flip is None else f"at {flip}<br><small>{corruption.amount(flip):g} {corruption.unit}</small>"
    return (
        f"<tr><th scope='row'>{_words(name)}<br><small>{KINDS[corruption.kind]}</small></th>{''.join(cells)}"
        f"<td>{flips}</td></tr>"
    )


def _cell(image: np.ndarray, verdict: Verdict, expected: int, title: str) -> str:
    kind = "right" if verdict.answer == expected else "wrong"
    words = f"{title}: {verdict.answer}, {verdict.certainty}"
    # A tenth is the least that the highest of ten probabilities can be.
    sure = (verdict.confidence - 0.1) / 0.9
    return (
        f"<td><span class='cell {kind}' style='--sure:{sure:.2f}' title='{escape(words)}'>"
        f"{page.picture(thumbnails.on_paper(image), words, 42)}<br>{verdict.answer}"
        f"{'' if verdict.is_sure else '?'}<br><small>{escape(percent(verdict.confidence))}</small></span></td>"
    )


def _words(name: str) -> str:
    words = name.replace("_", " ").replace("jpeg", "JPEG").replace("canny", "Canny")
    return words[0].upper() + words[1:]


def _show_mixture(drawing: Drawing, model: Model, expected: int) -> None:
    st.html("<p class='heading'>Your own mixture</p>")
    left, middle, right = st.columns([0.3, 0.3, 0.4], gap="medium")
    with left:
        noise = st.slider("Noise (σ, grey levels)", 0, 120, 0, key="noise", persist_state="page")
        blur = st.slider("Blur (σ, pixels)", 0.0, 4.0, 0.0, 0.1, key="blur", persist_state="page")
        stroke = st.slider("Stroke (pixels wider)", -3.0, 5.0, 0.0, 0.5, key="stroke", persist_state="page")
    with middle:
        degrees = st.slider("Rotation (degrees, clockwise)", -90, 90, 0, key="rotation", persist_state="page")
        across = st.slider("Shift to the right (pixels)", -10, 10, 0, key="across", persist_state="page")
        down = st.slider("Shift down (pixels)", -10, 10, 0, key="down", persist_state="page")
    image = mix(drawing.image, noise, blur, stroke, degrees, across, down)
    (verdict,) = cache.verdicts(model, image[None])
    with right:
        st.html(
            f"<div class='mixture'>{page.picture(thumbnails.on_paper(image), 'the corrupted digit', 140)}"
            f"<p><span class='answer'>{verdict.answer}</span><br>{escape(verdict.certainty)}<br>"
            f"{'as expected' if verdict.answer == expected else f'<b>instead of {expected}</b>'}</p></div>"
        )


def mix(
    image: np.ndarray, noise: float, blur: float, stroke: float, degrees: float, across: float, down: float
) -> np.ndarray:
    """An image, uint8 (28, 28), with its stroke changed, then rotated and shifted, then blurred, then with noise."""
    images = image[None]
    if stroke:
        images = _corrupted(images, "thicker" if stroke > 0 else "thinner", abs(stroke))
    if degrees or across or down:
        images = geometry.rotate_and_translate(images, degrees, across, down)
    images = _corrupted(images, "gaussian_blur", blur)
    return _corrupted(images, "gaussian_noise", noise)[0]


def _corrupted(images: np.ndarray, name: str, amount: float) -> np.ndarray:
    return CORRUPTIONS[name].at(images, amount, np.random.default_rng(SEED))
