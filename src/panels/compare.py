"""Compare: the verdicts of all models on the same drawing, the most accurate first, with those that disagree marked."""

from collections import Counter

import streamlit as st

from digits import paths
from digits.checkpoints import cards
from digits.recognition.verdict import Verdict
from digits.reporting import thumbnails
from digits.reporting.words import listing, percent
from panels import cache, page
from panels.cache import Model
from panels.draw import Drawing
from panels.page import escape

# It needs nothing but answers, so it works on every model and its maps can be compared.
METHOD = "occlusion"


def show(drawing: Drawing, with_heat: bool) -> None:
    """Show every model's verdict on the drawing, and where it sees the evidence."""
    answered, problems = _ask_all(drawing)
    for problem in problems:
        st.warning(problem)
    if not answered:
        st.error("There is no model to compare.")
        return
    most, _ = Counter(verdict.answer for _, verdict in answered).most_common(1)[0]
    st.markdown(_headline(answered, most))
    rows = [_row(model, verdict, drawing, most, with_heat) for model, verdict in answered]
    header = ["Model", "Answer", "Confidence", "Next", *(["Evidence"] if with_heat else [])]
    st.html(page.table(header, rows, "compare"))
    if any(verdict.state == "not sure" for _, verdict in answered):
        st.caption(
            'Each model has its own threshold for "sure", from which its card promises that hardly any answer is wrong '
            "on digits like MNIST's. So 97 % can be sure for one model and not sure for another."
        )
    if with_heat:
        st.caption("Heat maps by occlusion: how much the answer's score drops when each patch is covered.")


def _ask_all(drawing: Drawing) -> tuple[list[tuple[Model, Verdict]], list[str]]:
    models, problems = [], []
    # A file that came without a card is run only for those who choose it.
    carded, chosen = cards.available(paths.MODELS), st.session_state.get("model")
    for name in (each for each in cache.model_names() if each in carded or each == chosen):
        try:
            models.append(cache.open_model(name))
        except (ValueError, OSError) as error:
            problems.append(f"{page.literal(name)} is left out: {page.sentence(error)}")
    if own := st.session_state.get("own_model"):
        models.append(own)
    return [(model, cache.verdicts(model, drawing.image[None])[0]) for model in models], problems


def _headline(answered: list[tuple[Model, Verdict]], most: int) -> str:
    others = [
        f"{page.literal(model.name)} says {verdict.answer}" for model, verdict in answered if verdict.answer != most
    ]
    if not others:
        return f"**All {len(answered)} models answer {most}.**"
    return f"**{len(answered) - len(others)} of {len(answered)} models answer {most}**; {listing(others)}."


def _row(model: Model, verdict: Verdict, drawing: Drawing, most: int, with_heat: bool) -> str:
    (answer, confidence), (second, probability) = verdict.ranked[:2]
    heat = ""
    if with_heat:
        why = cache.explain(model, drawing.image, METHOD, answer)
        alternative = f"where {model.name} sees the evidence for {answer}"
        heat = f"<td>{page.picture(thumbnails.overlay(drawing.image, why.heat[0]), alternative, 72)}</td>"
    disagrees = answer != most
    return (
        f"<tr{' class=disagrees' if disagrees else ''}><th scope='row'>{escape(model.name)}"
        f"{'<br><small>disagrees</small>' if disagrees else ''}</th><td class='large'>{answer}</td>"
        f"<td><span class='track'><span class='fill' style='width:{100 * confidence:.1f}%'></span></span>"
        f"{escape(verdict.certainty)}</td>"
        f"<td>{second} <small>{escape(percent(probability))}</small></td>{heat}</tr>"
    )
