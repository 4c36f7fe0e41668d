"""Models: all of them in a list, and their robustness, calibration, training and errors side by side."""

import re
from contextlib import suppress

import streamlit as st

from digits.checkpoints import cards
from panels import cache, page
from panels.cache import Model
from panels.models import summary
from panels.page import escape

LARGEST_CHOICE = 4
CHARTS = ("Robustness", "Calibration", "Training", "Errors")


def show(current: Model | None) -> None:
    """Show all models in a list, and charts of those that the visitor chooses, the current one first."""
    names = cache.model_names()
    header = ["Model", "95 % interval", "Calibration error", "Parameters", "Trained in"]
    st.html(page.table(header, [_row(name) for name in names], "cards"))
    default = [name for name in dict.fromkeys([current.name if current else None, "mnist_cnn"]) if name in names]
    with st.container(key="models"):
        left, right = st.columns(2, gap="medium")
    chosen = left.multiselect(
        "Models to compare",
        names,
        default=default,
        max_selections=LARGEST_CHOICE,
        key="compared_models",
        persist_state="page",
    )
    chart = right.segmented_control(
        "Compare their", CHARTS, default=CHARTS[0], required=True, key="chart", persist_state="page"
    )
    models = []
    for name in chosen:
        with page.guarded(name):
            models.append(cache.open_model(name))
    if not models:
        st.caption("Choose a model.")
        return
    with page.guarded(chart):
        # Altair takes a second to import, and isn't needed for the list.
        from panels.models import charts

        getattr(charts, chart.lower())(models)


def _row(name: str) -> str:
    figures = ["–"] * 4
    with suppress(ValueError, OSError):
        card = cache.card(name)
        figures[2:] = f"{card['parameters']:,}", cards.duration(card["training"]["seconds"])
        if test := card["scores"].get("test"):
            figures[:2] = (
                " – ".join(f"{100 * end:.2f}" for end in test["interval"]) + " %",
                f"{100 * test['ece']:.2f} %",
            )
    cells = "".join(f"<td>{figure}</td>" for figure in figures)
    line = re.sub(r" (?=%|ms)", "&nbsp;", escape(summary.line(name)))
    return f"<tr><th scope='row'>{escape(name)}<br><small>{line}</small></th>{cells}</tr>"
