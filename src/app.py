"""The page: draw a digit and see everything the workbench knows about it. `make app` opens it."""

import os
import sys
from dataclasses import replace

import numpy as np
import streamlit as st

from digits import paths
from panels import cache, compare, draw, number, page, sidebar, stress, verdict, why
from panels.cache import Model
from panels.draw import Drawing
from panels.handwriting import panel as handwriting_panel
from panels.verdict import Verdict

PANELS = ("Why", "Compare", "Stress", "Models", "My handwriting")


def main() -> None:
    """Lay the page out: model and pen at the side, drawing and verdict on top, one panel in view below."""
    st.set_page_config("Digit workbench", page_icon=page.ICON, layout="wide")
    page.apply_style()
    with st.sidebar:
        picker = st.container()
        pen = sidebar.choose_pen()
        is_explained = sidebar.explanations_wanted()
        with page.guarded("Your own model"):
            sidebar.load_own_model()
        sidebar.show_help()
        # Above the rest, but after it: a model that was just brought can be chosen at once.
        with picker:
            model = sidebar.choose_model()
    st.html("<h1 class='title'>Digit workbench <small>draw a digit, and see what a model makes of it</small></h1>")
    drawing, given = _recognise(pen, model)
    if drawing and given:
        # Before the panels, which may still be at work when the next stroke comes.
        with st.sidebar:
            sidebar.remember(drawing, given, model)
            sidebar.show_downloads(drawing, given, model)
            sidebar.show_history()
    tabs = dict(zip(PANELS, st.tabs(PANELS, key="panel", on_change="rerun"), strict=True))
    for name, tab in tabs.items():
        if tab.open:
            with tab, page.guarded(name):
                _show_panel(name, drawing, given, model, is_explained)
    if model and drawing is None:
        # What the first answer will be compared with is made while nobody waits for it.
        with page.guarded("The model"):
            cache.is_familiar(model, np.zeros((28, 28), np.uint8))


def _recognise(pen: draw.Pen, model: Model | None) -> tuple[Drawing | None, Verdict | None]:
    canvas, answer, seen = st.columns([0.345, 0.425, 0.23], gap="medium")
    drawing = given = None
    with canvas, page.guarded("The canvas"):
        drawing = draw.show(pen)
    with answer, page.guarded("The model"):
        if drawing and model:
            if drawing.digits:
                drawing, given = number.show(drawing, model)
            else:
                (given,) = cache.verdicts(model, drawing.image[None])
            given = replace(given, is_familiar=cache.is_familiar(model, drawing.image))
            verdict.show(given, drawing.label)
        elif drawing is None:
            verdict.show_nothing()
        else:
            st.warning("No model can answer: choose another one at the side.")
    with seen:
        if drawing:
            draw.show_input(drawing)
    return drawing, given


def _show_panel(name: str, drawing: Drawing | None, given: Verdict | None, model: Model | None, is_explained: bool):
    if name in ("Why", "Compare", "Stress") and given is None:
        st.caption("Draw a digit first.")
    elif name == "Why" and not is_explained:
        st.caption("Explanations are switched off at the side.")
    elif name == "Why":
        why.show(drawing, given, model)
    elif name == "Compare":
        compare.show(drawing, is_explained)
    elif name == "Stress":
        stress.show(drawing, given, model)
    elif name == "Models":
        # Its charts need Altair, for which nobody should wait who only wants to draw.
        from panels.models import panel as models_panel

        models_panel.show(model)
    elif name == "My handwriting":
        handwriting_panel.show(drawing, given, model)


def serve() -> None:
    """Start Streamlit on this file, as `streamlit run src/app.py` does, with the settings in `.streamlit`."""
    from streamlit.web import cli

    os.chdir(paths.ROOT)
    cli.main(["run", __file__, *sys.argv[1:]], prog_name="streamlit")


if st.runtime.exists():
    main()
else:
    serve()
