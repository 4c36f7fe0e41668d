"""Draw: where the digit comes from, a canvas, a file, the camera or MNIST, and what preprocessing makes of it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path

import numpy as np
import streamlit as st

from digits import preprocess
from digits.preprocess import detection
from digits.preprocess.segmentation import FoundDigit
from digits.recognition import batch
from digits.recognition.picture import Look, digits_of, judge_looks, look_at
from digits.recognition.verdict import Verdict
from digits.reporting import thumbnails
from digits.reporting.words import a_digit
from panels import cache, canvas, page
from panels.canvas import Sketch

SOURCES = ("Draw", "Upload", "Camera", "Samples")
SUFFIXES = [suffix.lstrip(".") for suffix in preprocess.SUFFIXES]
LARGEST_UPLOAD_MB = 15


@dataclass(frozen=True)
class Drawing:
    """A digit to be recognised.

    Attributes:
        key: identifies the drawing, and stays the same while strokes are added to it.
        source: where it comes from, in words.
        picture: as it was drawn or taken, uint8 (height, width), grey.
        image: as the model sees it, uint8 (28, 28), ink 255 on paper 0.
        steps: what preprocessing did.
        label: the true digit where it is known.
        digits: those on the picture in the order of reading, if there are several.
        sketch: the strokes, if it was drawn on the canvas.
        look: what is on the picture, if it may be read as a single digit.
        reading: how it was read as one, if not in the likeliest way.
    """

    key: str
    source: str
    picture: np.ndarray
    image: np.ndarray
    steps: tuple[str, ...]
    label: int | None = None
    digits: Sequence[FoundDigit] = ()
    sketch: Sketch | None = None
    look: Look | None = None
    reading: str = ""


def judge(drawing: Drawing, model: cache.Model) -> tuple[Drawing, list[Verdict]]:
    """A model's verdict on each digit, and the drawing as it was read, turned upright unless it was drawn here."""
    if drawing.look:
        cache.get_ready(model)
        ((prepared, verdict),) = judge_looks(model.recogniser, [drawing.look], cache.learned(model))
        is_one = bool(prepared.reading) and verdict.digits_found == 1 and not verdict.other_marks
        if is_one or not drawing.digits:
            image, steps, reading = prepared.image, prepared.steps, prepared.reading
            return replace(drawing, image=image, steps=steps, reading=reading, digits=()), [verdict]
    if not drawing.digits:
        return drawing, cache.verdicts(model, drawing.image[None])
    given = _judge_each(drawing.digits, model)
    number = batch.Number(Path(drawing.key), drawing.picture, drawing.digits, given)
    if not drawing.sketch:
        number = batch.turned_upright(model.recogniser, number)
        given = given if number.digits is drawing.digits else _judge_each(number.digits, model)
    return replace(drawing, picture=number.picture, digits=number.digits), given


def _judge_each(digits: Sequence[FoundDigit], model: cache.Model) -> list[Verdict]:
    images = np.stack([digit.prepared.image for digit in digits])
    return list(batch.without_marks(digits, cache.verdicts(model, images)))


def show(pen: canvas.Pen) -> Drawing | None:
    """Show the panel; None while there is no digit, or none that can be read, which it says."""
    # Not as a default: a click on an earlier drawing sets it.
    st.session_state.setdefault("source", SOURCES[0])
    source = st.segmented_control(
        "Where the digit comes from",
        SOURCES,
        required=True,
        key="source",
        label_visibility="collapsed",
        width="stretch",
        on_change=lambda: st.session_state.pop("recalled", None),
    )
    if recalled := st.session_state.get("recalled"):
        st.image(recalled.picture, width=canvas.SIDE, alt="the picture from before")
        return recalled
    others = {"Upload": _from_file, "Camera": _from_camera, "Samples": _from_mnist}
    return others[source]() if source in others else _from_canvas(pen)


def recall(drawing: Drawing) -> None:
    """Show an earlier drawing again."""
    st.session_state.pop("recalled", None)
    if drawing.sketch:
        st.session_state.source = "Draw"
        canvas.load(drawing.sketch)
    else:
        # A browser gives no file to the page twice.
        st.session_state.recalled = drawing


def show_input(drawing: Drawing) -> None:
    """Show the 28×28 image that the model sees, and how it came about."""
    st.html(
        f'<figure class="seen">{page.picture(thumbnails.on_paper(drawing.image), "the 28×28 image", 140)}'
        f"<figcaption>{escape(', '.join(filter(None, ('What the model sees: 28×28 pixels', drawing.reading))))}"
        "</figcaption></figure>"
    )
    with st.expander("Preprocessing steps"):
        st.markdown("\n".join(f"- {step}" for step in drawing.steps))


def _from_canvas(pen: canvas.Pen) -> Drawing | None:
    return of_sketch(canvas.show(pen))


def of_sketch(sketch: Sketch | None) -> Drawing | None:
    """What is drawn on the canvas; None if that leaves no ink on it."""
    if sketch is None:
        return None
    grey = canvas.picture(sketch.strokes)
    # A stroke can lie outside the canvas, and many can fill it.
    if int(grey.max()) - int(grey.min()) < preprocess.LEAST_CONTRAST:
        return None
    drawing = _drawing(f"canvas {sketch.number}", "drawn on the canvas", grey)
    # What is drawn here is upright.
    return replace(drawing, sketch=sketch, look=drawing.look and replace(drawing.look, grey=None))


def _drawing(key: str, source: str, grey: np.ndarray) -> Drawing:
    """What is drawn on a grey picture, uint8 (height, width)."""
    look = look_at(grey)
    prepared = look.readings[0]
    if look.pieces and len(look.pieces) > 1:
        large = preprocess.at_working_size(grey, detection.SIDE)
        # A digit and what seems to be a mark may be one digit in another reading.
        as_one = replace(look, grey=None) if len(look.readings) > 1 and len(digits_of(look)) < 2 else None
        return Drawing(key, source, large, prepared.image, prepared.steps, digits=look.pieces, look=as_one)
    # Of a photo's millions of pixels nobody needs more than are looked at.
    return Drawing(key, source, preprocess.at_working_size(grey), prepared.image, prepared.steps, look=look)


def _from_file() -> Drawing | None:
    file = st.file_uploader(
        "A drawing, scan or photo of one or more digits",
        type=SUFFIXES,
        max_upload_size=LARGEST_UPLOAD_MB,
        key="upload",
    )
    st.caption(page.HEIC_ADVICE)
    return _from_bytes(file.getvalue(), "uploaded") if file else None


def _from_camera() -> Drawing | None:
    photo = st.camera_input("Hold a digit or a number, written large, up to the camera", key="camera")
    return _from_bytes(photo.getvalue(), "taken with the camera") if photo else None


def _from_bytes(content: bytes, source: str) -> Drawing | None:
    key = f"{source} {hashlib.sha256(content).hexdigest()}"
    # A large photo takes a while to decode, and the page runs anew at every click.
    if st.session_state.get("decoded", ("",))[0] != key:
        with page.guarded("Reading the picture"):
            st.session_state.pop("decoded", None)
            st.session_state.decoded = key, _drawing(key, source, preprocess.read_grey(content, detection.SIDE))
    if "decoded" not in st.session_state:
        return None
    drawing = st.session_state.decoded[1]
    st.image(drawing.picture, width=canvas.SIDE, alt="the original picture")
    return drawing


def _from_mnist() -> Drawing | None:
    digits = cache.test_digits()
    firsts = [int(np.argmax(digits.labels == digit)) for digit in range(10)]
    st.session_state.setdefault("sample", firsts[4])
    st.segmented_control(
        "One of MNIST's test digits",
        range(10),
        default=4,
        key="sample_digit",
        on_change=lambda: _choose_sample(firsts),
        width="stretch",
        persist_state="page",
    )
    st.button(
        "A random test digit",
        icon=":material/casino:",
        width="stretch",
        on_click=_choose_random_sample,
        args=[len(digits)],
    )
    index = st.session_state.sample
    image = digits.images[index]
    st.html(page.picture(thumbnails.on_paper(image), f"test digit {index}", canvas.SIDE))
    step = f"none: test digit {index} of MNIST, {a_digit(int(digits.labels[index]))}, is 28×28 already"
    return Drawing(f"test digit {index}", f"MNIST test digit {index}", image, image, (step,), int(digits.labels[index]))


def _choose_sample(firsts: list[int]) -> None:
    if st.session_state.sample_digit is not None:
        st.session_state.sample = firsts[st.session_state.sample_digit]


def _choose_random_sample(count: int) -> None:
    st.session_state.sample = int(np.random.default_rng().integers(count))
    st.session_state.sample_digit = None
