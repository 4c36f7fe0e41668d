"""Fool it: the fewest pixels that turn the answer while a person still reads the old digit."""

from pathlib import Path

import numpy as np
import streamlit as st
from streamlit.components import v2

from digits import paths
from digits.explanations.shapley import flip
from digits.handwriting import collection
from digits.recognition.verdict import Verdict
from digits.reporting import thumbnails
from digits.reporting.words import a_digit
from panels import cache, page
from panels.cache import Model
from panels.draw import Drawing
from panels.page import escape

SIDE = 280
pixels = v2.component(
    "digits.pixels",
    html=f'<img class="pixels" width="{SIDE}" style="cursor: pointer; touch-action: manipulation">',
    js=Path(__file__).with_name("pixels.js").read_text(encoding="utf-8"),
    isolate_styles=False,
)


@st.fragment
def show(drawing: Drawing, verdict: Verdict, model: Model) -> None:
    """Let the visitor change pixels, or have the fewest found, until the model is wrong, and keep what fooled it."""
    flipped = _flipped(drawing)
    changed = np.isin(np.arange(drawing.image.size), flipped).reshape(drawing.image.shape)
    image = np.where(changed, flip(drawing.image), drawing.image)
    (now,) = cache.verdicts(model, image[None])
    before = verdict.answer if drawing.label is None else drawing.label
    left, right = st.columns([0.34, 0.66], gap="medium")
    with left:
        pixels(
            data={
                "uri": thumbnails.data_uri(thumbnails.mark_changes(drawing.image, image)),
                "caption": f"the digit with {len(flipped)} changed pixels",
            },
            key="pixels",
            on_tapped_change=lambda: _tap(flipped),
        )
    with right:
        count = f"{len(flipped)} pixel{'s' * (len(flipped) != 1)} changed"
        outcome = f"<b>fooled: {before} → {now.answer}</b>" if now.answer != before else f"still {a_digit(before)}"
        st.html(
            f"<div class='mixture' role='status'><span class='answer'>{now.answer}</span>"
            f"<p>{count}: {outcome}<br>{escape(now.certainty)}</p></div>"
        )
        st.caption(
            "Tap pixels until the model is wrong while you still read the old digit. "
            "Red pixels add ink, blue ones remove it."
        )
        with st.container(horizontal=True):
            st.button(
                "Find the fewest",
                icon=":material/search:",
                key="fool_find",
                on_click=_find,
                args=[drawing, verdict, model, flipped],
            )
            st.button("Undo", key="fool_undo", disabled=not flipped, on_click=flipped.__delitem__, args=[-1])
            st.button("Reset", key="fool_reset", disabled=not flipped, on_click=flipped.clear)
        if now.answer != before and flipped and not cache.IS_PUBLIC:
            _offer_to_keep(image, before)


def _flipped(drawing: Drawing) -> list[int]:
    """The pixels that have been flipped in this drawing, in turn."""
    image = drawing.image.tobytes()
    if st.session_state.get("fooled", ("", []))[0] != image:
        st.session_state.fooled = image, []
    return st.session_state.fooled[1]


def _tap(flipped: list[int]) -> None:
    tapped = st.session_state.pixels.tapped
    if isinstance(tapped, int) and 0 <= tapped < 784:
        flipped.remove(tapped) if tapped in flipped else flipped.append(tapped)


def _find(drawing: Drawing, verdict: Verdict, model: Model, flipped: list[int]) -> None:
    """Flip the fewest pixels found that turn the answer into the next most probable digit."""
    target = verdict.ranked[1][0]
    with page.guarded("The search for the fewest pixels"):
        found = cache.fewest_pixels(model, drawing.image, target)
        flipped[:] = np.flatnonzero(found.changed).tolist()
        if not found.found:
            st.toast(f"Not even {len(flipped)} changed pixels turn it into {a_digit(target)}.")


def _offer_to_keep(image: np.ndarray, before: int) -> None:
    digit = st.segmented_control("Which digit do you read?", range(10), default=before, required=True, key="fool_digit")
    if st.button("Keep as a hard example", icon=":material/save:", key="fool_keep"):
        with page.guarded("Saving"):
            path = collection.save(thumbnails.on_paper(image), digit, paths.MY_DIGITS)
            st.toast(page.literal(f"Saved as my_digits/{digit}/{path.name}"))
