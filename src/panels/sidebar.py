"""The sidebar: which model answers, with which pen, what has been drawn so far, and help."""

import json
from collections.abc import Sequence

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from digits import preprocess
from digits.checkpoints import recognizer, strangers
from digits.recognition import batch
from digits.recognition.verdict import Verdict
from digits.reporting import thumbnails
from panels import cache, draw, gallery, page
from panels.cache import Model
from panels.canvas import Pen
from panels.draw import Drawing
from panels.models import summary

LONGEST_HISTORY = 12
HISTORY_SIDE = 88
# What the key of a visitor's own model begins with: no file's name has a slash.
OWN = "own/"
HELP = """
**Draw** a digit, or upload a picture of one. The answer follows the pen. If it is wrong, choose the true digit below
it: that counts at once, for similar drawings, too.

- **Why** shows with Grad-CAM which parts of the digit support an answer, and what would change it.
- **Inside** follows the digit through the layers of the network.
- **Compare** shows the answers of all models.
- **Stress** corrupts the digit in 28 ways and shows where the answer changes.
- **Models** compares the models' accuracy and shows their errors.
- **My handwriting** saves your digits and fine-tunes a model on them.

An answer is **not sure** below the model's own threshold. Of the answers above it, at most one in a thousand is wrong
on digits like MNIST's; weaker models promise less, such as one in a hundred.

Your drawings stay on the computer that runs the app, and are kept only if you save or correct them.
"""


def pen() -> Pen:
    """Brush and paper as the visitor chose them; the canvas needs them before the sidebar is shown."""
    state = st.session_state
    return Pen(state.setdefault("brush", 18), state.setdefault("canvas_paper", "Auto").lower())


def show() -> tuple[Model | None, bool]:
    """Let the visitor choose model and pen; the model, and whether Grad-CAM and the other heat maps are wanted."""
    picker = st.container()
    st.slider("Brush width (pixels)", 4, 40, key="brush")
    st.radio("Canvas", ["Auto", "Light", "Dark"], horizontal=True, key="canvas_paper")
    is_explained = st.toggle("Grad-CAM", value=True, key="explain", help="Show where on the digit the evidence is.")
    with page.guarded("Your own model"):
        _load_own_model()
    with st.expander("Help"):
        st.markdown(HELP)
    # Shown above the rest but run after it: a model that was just uploaded can be chosen at once.
    with picker:
        return _choose_model(), is_explained


def _choose_model() -> Model | None:
    """Let the visitor choose the model that answers; None, with the reason, where that one can't be opened."""
    names = cache.model_names()
    own: Model | None = st.session_state.get("own_model")
    options = [*names, *([own.key] if own else [])]
    default = cache.default_name(options) if options else ""
    if not options:
        st.error("There are no models in `models/`: `git checkout models` restores the shipped ones.")
        return None
    # A file that was deleted while it was selected is no longer an option.
    gone = st.session_state.get("model")
    if gone is not None and gone not in options:
        name = "Your model" if gone.startswith(OWN) else gone
        st.session_state.gone = f"{page.literal(name)} has been removed, so {page.literal(default)} answers now."
        st.session_state.model = default
    if "gone" in st.session_state:
        st.warning(st.session_state.gone)
    chosen = st.selectbox(
        "Model",
        options,
        index=options.index(default),
        key="model",
        on_change=lambda: st.session_state.pop("gone", None),
        format_func=lambda name: f"{own.name} (yours)" if own and name == own.key else name,
    )
    if own and chosen == own.key:
        return own
    with page.guarded("Opening the model"):
        model = cache.open_model(chosen)
        st.caption(page.literal(summary.line(chosen)))
        if "description" in model.recogniser.card:
            st.caption(page.literal(model.recogniser.card["description"]))
        _show_note(model)
        return model
    return None


def _load_own_model() -> None:
    """Let the visitor bring a model file, which is checked and tried before it answers."""
    if cache.IS_PUBLIC:
        return
    with st.expander("Your own model"):
        file = st.file_uploader(
            "A model that maps 28×28 pixels to ten digits",
            type=[suffix.removeprefix(".") for suffix in strangers.KINDS],
            max_upload_size=30,
            key="own_upload",
        )
        st.caption("The file is treated as data: a separate process converts it, and no code in it runs.")
        if file is None:
            st.session_state.pop("own_file", None)
            st.session_state.pop("own_model", None)
            return
        if st.session_state.get("own_file") != file.file_id:
            with st.spinner("Checking and converting it"):
                st.session_state.own_model, st.session_state.own_problem = _admit(file)
            st.session_state.own_file = file.file_id
        if own := st.session_state.own_model:
            st.success(f"{page.literal(own.name)} is among the models above.")
            _show_note(own)
        else:
            st.error(st.session_state.own_problem)


def _show_note(model: Model) -> None:
    if note := model.recogniser.note:
        st.warning(page.literal(f"{model.name}: {note}."))


def _admit(file: UploadedFile) -> tuple[Model | None, str]:
    """The visitor's model, chosen at once; or why it isn't one."""
    try:
        own = Model(f"{OWN}{file.file_id}", recognizer.load_upload(file.getvalue(), file.name))
    except (ValueError, OSError) as error:
        return None, page.sentence(error)
    st.session_state.model = own.key
    st.session_state.pop("gone", None)
    return own, ""


def remember(drawing: Drawing, given: Sequence[Verdict], model: Model) -> None:
    """Keep the drawing in this session's history, in place of its own earlier strokes."""
    reading = f"{given[0].answer}" if not drawing.digits else batch.as_text(drawing.digits, given).replace("\n", " ")
    certainty = "" if drawing.digits else f"{given[0].certainty}, "
    history = st.session_state.setdefault("history", {})
    history.pop(drawing.key, None)
    shown = drawing.picture if drawing.digits else thumbnails.on_paper(drawing.image)
    history[drawing.key] = {
        "key": drawing.key,
        "uri": thumbnails.data_uri(preprocess.at_working_size(shown, HISTORY_SIDE)),
        "reading": reading,
        "caption": f"{reading}, {certainty}{model.name}",
        "drawing": drawing,
    }
    while len(history) > LONGEST_HISTORY:
        del history[next(iter(history))]


def show_history() -> None:
    """Show this session's recent drawings, the newest first; a click brings one back."""
    if history := st.session_state.get("history"):
        st.html('<p class="heading">Recent drawings</p>')
        shown = [{name: value for name, value in each.items() if name != "drawing"} for each in history.values()]
        gallery.show(shown[::-1], "recent", lambda key: draw.recall(history[key]["drawing"]))


def show_downloads(drawing: Drawing, verdict: Verdict, model: Model) -> None:
    """Offer the drawing as PNG and the verdict as JSON."""
    left, right = st.columns(2)
    # Made when they are asked for: files that lie ready would be replaced, and then missed, at every stroke.
    left.download_button(
        "Drawing", lambda: thumbnails.png(drawing.picture), "drawing.png", "image/png",
        icon=":material/download:", on_click="ignore", width="stretch",
    )  # fmt: skip
    right.download_button(
        "Verdict", lambda: _as_json(drawing, verdict, model), "verdict.json", "application/json",
        icon=":material/download:", on_click="ignore", width="stretch",
    )  # fmt: skip


def _as_json(drawing: Drawing, verdict: Verdict, model: Model) -> str:
    content = {
        "model": model.name,
        "model_sha256": model.recogniser.sha256 or None,
        **verdict.as_json(),
        "prediction_without_corrections": verdict.answer if verdict.uncorrected is None else verdict.uncorrected,
        "source": drawing.source,
        "true_digit": drawing.label,
        "preprocessing": list(drawing.steps),
        "image": drawing.image.tolist(),
    }
    return json.dumps(content, indent=1)
