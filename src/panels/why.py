"""Why: the evidence for an answer, what would change it, and which training digits are similar."""

import streamlit as st

from digits.explanations.attribution import METHODS
from digits.recognition.verdict import Verdict
from digits.reporting import thumbnails
from digits.reporting.words import a_digit, listing
from panels import cache, page
from panels.cache import Model
from panels.draw import Drawing

ANSWER, NO_OTHER = "the answer", "no other digit"
CAM = "grad_cam"
SIDE = 280
SIMILAR_DIGITS = 10


def show(drawing: Drawing, verdict: Verdict, model: Model) -> None:
    """Show Grad-CAM and another heat map, similar training digits and the fewest pixels that change the answer."""
    has_cam = cache.has_feature_map(model)
    methods = [name for name in cache.methods_of(model) if name != CAM]
    with st.container(key="why"):
        *maps, choices = st.columns([0.27, 0.27, 0.46] if has_cam else [0.345, 0.655], gap="medium")
    with choices:
        method, target, versus = _choose(methods, verdict)
        opacity = st.slider("Opacity of the heat maps (%)", 0, 100, 85, 5, key="opacity", persist_state="page") / 100
        shown = method
        if cache.needs_tensorflow(model, method) and not cache.tensorflow_is_ready():
            shown = next(name for name in methods if not cache.needs_tensorflow(model, name))
            _wait_for_tensorflow(METHODS[method].title, METHODS[shown].title)
        if has_cam:
            st.caption(
                "Grad-CAM shows which region of the last feature map the score came from; it is as coarse as that map. "
                f"{METHODS[shown].title} answers another question, so the two may differ."
            )
        else:
            st.warning(
                f"{page.literal(model.name)} has no convolutional layer, so Grad-CAM doesn't apply. "
                f"Methods that do: {listing([METHODS[name].title for name in methods])}."
            )
    with maps[0], page.guarded("The heat map"):
        for place, name in zip(maps, [CAM, shown] if has_cam else [shown], strict=True):
            with place:
                _show_heat(drawing, model, name, target, versus, opacity)
    with choices, page.guarded("The search for similar digits"):
        _show_similar_digits(drawing, model)
    with choices, page.guarded("The search for the fewest pixels"):
        _show_fewest_pixels(drawing, verdict, model, versus)


def _choose(methods: list[str], verdict: Verdict) -> tuple[str, int, int | None]:
    left, middle, right = st.columns(3)
    method = left.selectbox(
        "Method", methods, format_func=lambda name: METHODS[name].title, key="method", persist_state="page"
    )
    chosen = middle.selectbox("Evidence for", [ANSWER, *range(10)], key="target", persist_state="page")
    target = verdict.answer if isinstance(chosen, str) else chosen
    versus = right.selectbox(
        "Rather than",
        [NO_OTHER, *(digit for digit in range(10) if digit != target)],
        key="versus",
        persist_state="page",
    )
    return method, target, None if isinstance(versus, str) else versus


@st.fragment(run_every=1.5)
def _wait_for_tensorflow(wanted: str, meanwhile: str) -> None:
    if cache.tensorflow_is_ready():
        st.rerun()
    st.info(f"{wanted} needs TensorFlow, which is starting. Until then you see {meanwhile}.")


def _show_heat(drawing: Drawing, model: Model, method: str, target: int, versus: int | None, opacity: float) -> None:
    why = cache.explain(model, drawing.image, method, target, versus)
    rather = "" if versus is None else f" rather than {versus}"
    title = METHODS[method].title
    overlay = thumbnails.overlay(drawing.image, why.heat[0], opacity)
    st.html(
        f"<p class='heading'>{title}</p>{page.picture(overlay, f'{title}: where the evidence for {target} lies', SIDE)}"
    )
    if why.has_evidence[0]:
        st.caption(f"Redder areas support {target}{rather} more strongly, as {page.literal(model.name)} sees it.")
    else:
        st.caption(f"{title} finds nothing that supports {target}{rather}, as {page.literal(model.name)} sees it.")


def _show_similar_digits(drawing: Drawing, model: Model) -> None:
    st.html("<p class='heading'>Similar training digits</p>")
    if "features" not in model.recogniser.outputs:
        st.caption(f"{page.literal(model.name)} has no layer in which to compare digits.")
        return
    alike = cache.most_similar(model, drawing.image, SIMILAR_DIGITS)
    figures = "".join(
        f"<figure>{page.picture(thumbnails.on_paper(image), f'a training digit {label}', 48)}"
        f"<figcaption>{label}</figcaption></figure>"
        for image, label in zip(alike.images, alike.labels, strict=True)
    )
    st.html(f'<div class="digits">{figures}</div>')
    st.caption("The most similar of 5,000 training digits, by the input of the model's last layer, with their labels.")


def _show_fewest_pixels(drawing: Drawing, verdict: Verdict, model: Model, versus: int | None) -> None:
    st.html("<p class='heading'>What would change the answer?</p>")
    other = verdict.ranked[1][0] if versus in (None, verdict.answer) else versus
    if not st.toggle(f"Find the fewest pixels that turn it into {a_digit(other)}", key="fewest", persist_state="page"):
        return
    found = cache.fewest_pixels(model, drawing.image, other)
    name = page.literal(model.name)
    if not found.found:
        st.caption(f"Not even {int(found.changed.sum())} changed pixels make {name} answer {other}.")
        return
    before, after = st.columns([0.3, 0.7])
    before.html(
        page.picture(
            thumbnails.mark_changes(drawing.image, found.image), f"the digit changed into {a_digit(other)}", 150
        )
    )
    count = int(found.changed.sum())
    after.caption(
        f"{count} of 784 pixels changed, and {name} answers {other}. Red marks added ink, blue removed "
        "ink, often specks that a person would hardly notice."
    )
