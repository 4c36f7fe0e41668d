"""Correct: what a digit really is, kept in `my_digits/`; it counts at once, and can be undone."""

import streamlit as st

from digits import paths
from digits.handwriting import corrections
from digits.recognition.prototypes import can_learn
from digits.recognition.verdict import Verdict
from digits.reporting.words import a_digit
from panels import cache, page
from panels.cache import Model
from panels.draw import Drawing


def show(drawing: Drawing, verdict: Verdict, model: Model) -> None:
    """Let the visitor say which digit it really is, and show what that changed."""
    if cache.IS_PUBLIC:
        return
    kept = corrections.find(drawing.image, paths.MY_DIGITS)
    digit = int(kept.parent.name) if kept else None
    with st.container(key="correct"):
        chosen = st.segmented_control(
            "No, it's:",
            range(10),
            # What was chosen for one image or answer isn't chosen for the next.
            key=f"correct {drawing.key} {hash(drawing.image.tobytes())} {verdict.answer} {digit}",
            width="stretch",
        )
        if chosen not in (None, digit, verdict.answer if digit is None else None):
            corrections.keep(drawing.image, chosen, paths.MY_DIGITS)
            st.rerun()
        if digit is None and chosen is not None:
            st.caption(f"{chosen} is the answer already, so there is nothing to correct.")
        if digit is not None:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.caption(_what_became(digit, verdict, model), width="stretch")
                # The canvas has an Undo, too.
                if st.button("Undo correction", icon=":material/undo:"):
                    corrections.undo(drawing.image, paths.MY_DIGITS)
                    st.rerun()
        for name, reason in cache.corrected().skipped.items():
            st.warning(f"The correction my_digits/{page.literal(name)} doesn't count: {page.sentence(reason)}")


def _what_became(digit: int, verdict: Verdict, model: Model) -> str:
    """Where the correction is kept, and for what it counts."""
    kept = f"Kept as {a_digit(digit)} in my_digits/{digit}/"
    if not can_learn(model.recogniser):
        name = page.literal(model.name)
        return f"{kept} for fine-tuning and for other models: {name} has no features to compare digits by."
    if verdict.answer != digit:
        return f"{kept}, but it doesn't change the answer."
    return f"{kept}. It counts from now on, and in the next fine-tuning."
