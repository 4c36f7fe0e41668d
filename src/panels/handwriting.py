"""My handwriting: drawings kept with their true digit, and how well each model reads them."""

from html import escape

import numpy as np
import streamlit as st

from digits import collection, paths, pictures, statistics
from digits.collection import Entry
from panels import engine, page
from panels.draw import Drawing
from panels.verdict import Verdict

SHOWN = 20


def show(drawing: Drawing | None, verdict: Verdict | None) -> None:
    """Show the collection by class, let the visitor add the drawing to it, and compare models on it."""
    if engine.IS_PUBLIC:
        st.caption("On this public page nothing is saved. Run the workbench yourself to collect your own handwriting.")
        return
    with page.guarded("Saving"):
        _offer_to_save(drawing, verdict)
    entries = collection.entries(paths.MY_DIGITS)
    if not entries:
        st.caption(
            "Nothing is saved yet. Draw a digit, say which one it is, and save it: ten of each are a good start."
        )
        return
    left, right = st.columns([0.55, 0.45], gap="medium")
    with left, page.guarded("The collection"):
        _show_collection(entries)
    with right, page.guarded("The comparison"):
        _compare_models(entries)


def _offer_to_save(drawing: Drawing | None, verdict: Verdict | None) -> None:
    if drawing is None:
        st.caption("Draw a digit to save it.")
        return
    guess = drawing.label if drawing.label is not None else verdict.answer if verdict else 0
    digit = st.segmented_control(
        "Which digit is it really?", range(10), default=guess, required=True, key=f"true {drawing.key} {guess}"
    )
    if st.button(f"Save it as a {digit}", icon=":material/save:", type="primary"):
        path = collection.save(drawing.picture, digit, paths.MY_DIGITS)
        st.toast(f"Saved as my_digits/{digit}/{path.name}")


def _show_collection(entries: list[Entry]) -> None:
    st.html(f"<p class='heading'>{len(entries)} digit{'s' * (len(entries) != 1)} in <code>my_digits/</code></p>")
    for digit in range(10):
        mine = [entry for entry in entries if entry.digit == digit]
        images = "".join(
            page.picture(pictures.on_paper(entry.image), f"a {digit} of yours", 36)
            for entry in mine[-SHOWN:]
            if entry.image is not None
        )
        more = f" <small>and {len(mine) - SHOWN} more</small>" if len(mine) > SHOWN else ""
        st.html(f"<div class='shelf'><b>{digit}</b><span>{images or '<small>none</small>'}{more}</span></div>")
    for entry in entries:
        if entry.problem:
            st.warning(f"my_digits/{entry.digit}/{entry.path.name} is left out: {page.sentence(entry.problem)}")
    with st.expander("Remove one"):
        names = {f"{entry.digit}/{entry.path.name}": entry for entry in entries}
        name = st.selectbox("Picture", names, key="removed")
        entry = names[name]
        if entry.image is not None:
            st.html(page.picture(pictures.on_paper(entry.image), f"a {entry.digit} of yours", 84))
        if st.button("Remove it", icon=":material/delete:"):
            collection.remove(entry.path.name, entry.digit, paths.MY_DIGITS)
            st.rerun()


def _compare_models(entries: list[Entry]) -> None:
    st.html("<p class='heading'>How well the models read you</p>")
    readable = [entry for entry in entries if entry.image is not None]
    if not readable:
        return
    images = np.stack([entry.image for entry in readable])
    labels = np.array([entry.digit for entry in readable])
    rows = []
    for name in engine.model_names():
        with page.guarded(name):
            model = engine.open_model(name)
            answers = engine.own_probabilities(model, images).argmax(axis=1)
            right = int((answers == labels).sum())
            low, high = statistics.wilson_interval(right, len(labels))
            rows.append(
                f"<tr><th scope='row'>{escape(name)}</th><td>{right} of {len(labels)}</td>"
                f"<td>{right / len(labels):.1%}</td><td>{low:.0%} – {high:.0%}</td></tr>"
            )
    st.html(page.table(["Model", "Right", "Accuracy", "95 % interval"], rows, "mine"))
    st.caption("A model that was fine-tuned on these digits has seen them, so its figure says little here.")
