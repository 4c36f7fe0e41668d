"""Fool it: the fewest strokes or pixels that change the answer while a person still reads the old digit."""

from pathlib import Path

import cv2
import numpy as np
import streamlit as st
from pydantic import ValidationError
from streamlit.components import v2

from digits import paths
from digits.explanations.shapley import flip
from digits.handwriting import collection
from digits.recognition.verdict import Verdict
from digits.reporting import thumbnails
from digits.reporting.words import a_digit, listing
from panels import cache, page
from panels.cache import Model
from panels.canvas import SIDE, Stroke, picture
from panels.draw import Drawing
from panels.page import escape

PEN = 20
# Side of one of the 28×28 pixels on the canvas; a shorter stroke is a tap.
TAP = SIDE // 28
pixels = v2.component(
    "digits.pixels",
    html=f"""
<div style="position: relative; display: inline-block">
  <img class="pixels" width="{SIDE}" draggable="false" style="cursor: crosshair; touch-action: none">
  <svg viewBox="0 0 {SIDE} {SIDE}" style="position: absolute; inset: 0; pointer-events: none">
    <polyline fill="none" stroke="#d63014" stroke-width="{PEN}" stroke-linecap="round" stroke-linejoin="round"/>
  </svg>
</div>
""",
    js=Path(__file__).with_name("pixels.js").read_text(encoding="utf-8"),
    isolate_styles=False,
)


@st.fragment
def show(drawing: Drawing, verdict: Verdict, model: Model) -> None:
    """Let the visitor draw strokes or flip pixels until the model is wrong, and keep what fooled it."""
    changes = _changes(drawing)
    image = _changed(drawing.image, changes)
    (now,) = cache.verdicts(model, image[None])
    before = verdict.answer if drawing.label is None else drawing.label
    left, right = st.columns([0.34, 0.66], gap="medium")
    with left:
        pixels(
            data={
                "uri": thumbnails.data_uri(thumbnails.mark_changes(drawing.image, image)),
                "caption": f"the digit with {_counted(changes)}",
            },
            key="pixels",
            on_drawn_change=lambda: _draw(changes),
        )
    with right:
        outcome = f"<b>fooled, {before} → {now.answer}</b>" if now.answer != before else f"still {a_digit(before)}"
        st.html(
            f"<div class='mixture' role='status'><span class='answer'>{now.answer}</span>"
            f"<p>{_counted(changes).capitalize()}: {outcome}<br>{escape(now.certainty)}</p></div>"
        )
        st.caption(
            "Draw strokes on the digit, or tap single pixels, until the model is wrong while you still read the old "
            "digit. Use as few as you can. Red is added ink, blue is removed ink."
        )
        with st.container(horizontal=True):
            st.button(
                "Find the fewest pixels",
                icon=":material/search:",
                key="fool_find",
                on_click=_find,
                args=[drawing, verdict, model, changes],
            )
            st.button("Undo", key="fool_undo", disabled=not changes, on_click=changes.__delitem__, args=[-1])
            st.button("Reset", key="fool_reset", disabled=not changes, on_click=changes.clear)
        if now.answer != before and changes and not cache.IS_PUBLIC:
            _offer_to_keep(image, before)


def _changes(drawing: Drawing) -> list[int | Stroke]:
    """The strokes on this drawing and the pixels flipped in it, in order."""
    image = drawing.image.tobytes()
    if st.session_state.get("fooled", ("", []))[0] != image:
        st.session_state.fooled = image, []
    return st.session_state.fooled[1]


def _changed(image: np.ndarray, changes: list[int | Stroke]) -> np.ndarray:
    changed = image.copy()
    for change in changes:
        if isinstance(change, Stroke):
            changed = np.maximum(changed, 255 - cv2.resize(picture([change]), (28, 28), interpolation=cv2.INTER_AREA))
        else:
            changed.flat[change] = flip(changed.flat[change])
    return changed


def _counted(changes: list[int | Stroke]) -> str:
    strokes = sum(isinstance(change, Stroke) for change in changes)
    counts = {"new stroke": strokes, "changed pixel": len(changes) - strokes}
    return listing([f"{count} {what}{'s' * (count != 1)}" for what, count in counts.items() if count] or ["no change"])


def _draw(changes: list[int | Stroke]) -> None:
    """Add a stroke; a tap flips its pixel, or flips it back."""
    try:
        stroke = Stroke(width=PEN, points=st.session_state.pixels.drawn)
    except ValidationError:
        return
    across, down = (np.array(stroke.points[start::2]) for start in (0, 1))
    if max(np.ptp(across), np.ptp(down)) >= TAP:
        changes.append(stroke)
        return
    column, row = (int(min(max(along[0], 0), SIDE - 1) // TAP) for along in (across, down))
    pixel = 28 * row + column
    changes.remove(pixel) if pixel in changes else changes.append(pixel)


def _find(drawing: Drawing, verdict: Verdict, model: Model, changes: list[int | Stroke]) -> None:
    """Flip the fewest pixels found that change the answer to the next most probable digit."""
    target = verdict.ranked[1][0]
    with page.guarded("The search for the fewest pixels"):
        found = cache.fewest_pixels(model, drawing.image, target)
        changes[:] = np.flatnonzero(found.changed).tolist()
        if not found.found:
            st.toast(f"Not even {len(changes)} changed pixels make it {a_digit(target)}.")


def _offer_to_keep(image: np.ndarray, before: int) -> None:
    digit = st.segmented_control("Which digit do you read?", range(10), default=before, required=True, key="fool_digit")
    if st.button("Keep as a hard example", icon=":material/save:", key="fool_keep"):
        with page.guarded("Saving"):
            path = collection.save(thumbnails.on_paper(image), digit, paths.MY_DIGITS)
            st.toast(page.literal(f"Saved as my_digits/{digit}/{path.name}"))
