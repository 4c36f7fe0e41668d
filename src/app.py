"""The page: draw a digit and see what the models answer, and why. `make app` opens it."""

import os
import sys

import streamlit as st
from streamlit import runtime

from digits import paths
from digits.recognition.verdict import Verdict
from panels import cache, compare, correct, draw, inside, number, page, sidebar, stress, verdict, why
from panels.cache import Model
from panels.draw import Drawing
from panels.handwriting import panel as handwriting_panel
from panels.models import panel as models_panel

PANELS = ("Why", "Inside", "Compare", "Stress", "Models", "My handwriting")


def main() -> None:
    """Lay out the page: model and pen in the sidebar, drawing and verdict at the top, one panel below."""
    st.set_page_config("Digit workbench", page_icon=page.ICON, layout="wide")
    page.apply_style()
    st.html("<h1 class='title'>Digit workbench <small>draw a digit, and see what a model makes of it</small></h1>")
    with st.container(key="recognition"):
        left, answer, seen = st.columns([0.345, 0.425, 0.23], gap="medium")
    drawing = None
    # First, so that the visitor can draw while the server opens a model and the browser loads the rest of the page.
    with left, page.guarded("The canvas"):
        drawing = draw.show(sidebar.pen())
    with st.sidebar:
        model, is_explained = sidebar.show()
    given = None
    with answer, page.guarded("The verdict"):
        drawing, given = _answer(drawing, model)
    with seen:
        if drawing:
            draw.show_input(drawing)
    # Before the panels, which may still be running when the next stroke comes.
    with st.sidebar:
        if drawing and given and model:
            sidebar.show_downloads(drawing, given, model)
        sidebar.show_history()
    tabs = dict(zip(PANELS, st.tabs(PANELS, key="panel", on_change="rerun"), strict=True))
    for name, tab in tabs.items():
        if tab.open:
            with tab, page.guarded(name):
                _show_panel(name, drawing, given, model, is_explained)
    if model and drawing is None:
        # The first verdict shouldn't have to wait for it.
        with page.guarded("The model"):
            cache.get_ready(model)
    cache.spare_modules()


def _answer(drawing: Drawing | None, model: Model | None) -> tuple[Drawing | None, Verdict | None]:
    """Show the verdict, and return the digit that the panels are about."""
    drawing, given = verdict.follow(drawing, model)
    if not (drawing and given and model):
        return drawing, None
    # A half-drawn digit may soon be another one.
    if not (drawing.sketch and drawing.sketch.unfinished):
        sidebar.remember(drawing, given, model)
    chosen = given[0]
    if drawing.digits:
        drawing, chosen = number.choose(drawing, given)
        verdict.show(chosen, drawing.label)
    if not (drawing.sketch and drawing.sketch.unfinished):
        correct.show(drawing, chosen, model)
    return drawing, chosen


def _show_panel(name: str, drawing: Drawing | None, given: Verdict | None, model: Model | None, is_explained: bool):
    if name == "Models":
        models_panel.show(model)
    elif name == "My handwriting":
        handwriting_panel.show(drawing, given, model)
    elif not (drawing and given and model):
        st.caption("Draw a digit first.")
    elif name == "Inside":
        inside.show(drawing, model)
    elif name == "Compare":
        compare.show(drawing, is_explained)
    elif name == "Stress":
        stress.show(drawing, given, model)
    elif is_explained:
        why.show(drawing, given, model)
    else:
        st.caption("Grad-CAM is switched off in the sidebar.")


def serve() -> None:
    """Start Streamlit on this file, as `streamlit run src/app.py` does, with the settings in `.streamlit`."""
    from streamlit.web import cli

    os.chdir(paths.ROOT)
    cli.main(["run", __file__, *sys.argv[1:]], prog_name="streamlit")


if runtime.exists():
    main()
else:
    serve()
