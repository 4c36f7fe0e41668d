"""Verdict: which digit it is, how sure the model is, and what else it might be."""

from html import escape

import streamlit as st

from digits.recognition.verdict import Verdict
from digits.reporting.words import percent
from panels import canvas, draw, number, page
from panels.cache import Model
from panels.draw import Drawing


@st.fragment(key=canvas.FOLLOWER)
def follow(drawing: Drawing | None, model: Model | None) -> tuple[Drawing | None, list[Verdict]]:
    """Show the verdicts on the drawing, or on the stroke that the pen is just drawing."""
    given = []
    with page.guarded("The model"):
        if (sketch := canvas.newest()) and sketch.unfinished:
            drawing = draw.of_sketch(sketch)
        if drawing and model:
            drawing, given = draw.judge(drawing, model)
            if drawing.digits:
                number.show(drawing, given)
            else:
                show(given[0], drawing.label)
        elif drawing is None:
            _show_nothing()
        else:
            st.warning("No model can answer: choose another one in the sidebar.")
    canvas.follow()
    return drawing, given


def show(verdict: Verdict, label: int | None) -> None:
    """Show the answer large, what else it might be, and all ten probabilities."""
    detail = escape(_sentence(verdict.alternatives(3)))
    if verdict.state == "not sure":
        detail += f"<br>{_when_sure(verdict)}"
    if not verdict.is_familiar:
        detail = f"It is unlike the digits that this model learned from. {detail}"
    if verdict.uncorrected is not None:
        detail = f"As you taught it; by itself, the model reads {verdict.uncorrected}. {detail}"
    if label is not None:
        detail += f"<br>The true digit is {label}: {'right' if label == verdict.answer else '<b>wrong</b>'}."
    st.html(
        f'<div class="verdict {"sure" if verdict.is_sure else "unsure"}" role="status">'
        f'<span class="answer">{verdict.answer}</span>'
        f"<span><strong>{escape(_sentence(verdict.headline))}</strong><br>{detail}</span></div>"
        + page.probability_bars(verdict.probabilities)
    )


def _when_sure(verdict: Verdict) -> str:
    if verdict.sure_threshold == 1:
        return "This model is never sure."
    return f"Answers of this model count as sure from {escape(percent(verdict.sure_threshold))}."


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


def _show_nothing() -> None:
    st.html(
        '<div class="verdict nothing" role="status"><span class="answer">?</span><span><strong>Nothing drawn</strong>'
        "<br>Draw a digit from 0 to 9; the answer follows the pen.</span></div>"
    )
