"""Draw: where the digit comes from, a canvas, a file, the camera or MNIST, and what preprocessing makes of it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import streamlit as st

from digits import preprocess
from digits.preprocess import segmentation
from digits.reporting import thumbnails
from panels import cache, page

SIDE = 280
SOURCES = ("Draw", "Upload", "Camera", "Samples")
SUFFIXES = [suffix.lstrip(".") for suffix in preprocess.SUFFIXES]
LARGEST_UPLOAD_MB = 15


@dataclass(frozen=True)
class Pen:
    """What the canvas draws with."""

    width: int
    is_light: bool


@dataclass(frozen=True)
class Drawing:
    """A digit to be recognised.

    Attributes:
        key: the same as long as somebody draws on; another for another drawing.
        source: where it comes from, in words.
        picture: as it was drawn or taken, uint8 (height, width), grey.
        image: as the model sees it, uint8 (28, 28), ink 255 on paper 0.
        steps: what preprocessing did.
        label: the true digit where it is known.
        digits: those on the picture in the order of reading, if there are several.
    """

    key: str
    source: str
    picture: np.ndarray
    image: np.ndarray
    steps: tuple[str, ...]
    label: int | None = None
    digits: Sequence[segmentation.FoundDigit] = ()


def show(pen: Pen) -> Drawing | None:
    """Show the panel; None while there is no digit, or none that can be read, which it says."""
    source = st.segmented_control(
        "Where the digit comes from",
        SOURCES,
        default="Draw",
        required=True,
        key="source",
        label_visibility="collapsed",
        width="stretch",
    )
    if source != "Draw" and "strokes" in st.session_state:
        st.session_state.strokes.leave()
    return {"Draw": lambda: _from_canvas(pen), "Upload": _from_file, "Camera": _from_camera, "Samples": _from_mnist}[
        source
    ]()


def show_input(drawing: Drawing) -> None:
    """Show the 28×28 image that the model sees, and how it came about."""
    st.html(
        f'<figure class="seen">{page.picture(thumbnails.on_paper(drawing.image), "the 28×28 image", 140)}'
        "<figcaption>What the model sees: 28×28 pixels</figcaption></figure>"
    )
    with st.expander("Preprocessing steps"):
        st.markdown("\n".join(f"- {step}" for step in drawing.steps))


def _from_canvas(pen: Pen) -> Drawing | None:
    # Outside a running server this import fails, so it can't stand above.
    from streamlit_drawable_canvas import st_canvas

    name = f"canvas_{'dark' if pen.is_light else 'light'}"
    strokes: Strokes = st.session_state.setdefault("strokes", Strokes(name))
    if strokes.canvas != name:
        # The other paper is another canvas: the same one would send the old drawing once more.
        strokes = st.session_state.strokes = Strokes(name, strokes.number + 1)
    with st.container(key="canvas"):
        result = st_canvas(
            stroke_width=pen.width,
            stroke_color="#ffffff" if pen.is_light else "#111111",
            background_color="#111111" if pen.is_light else "#ffffff",
            width=SIDE,
            height=SIDE,
            return_image_data=True,
            initial_drawing=strokes.shown,
            key=name,
        )
    strokes.take(result.json_data, result.image_bytes)
    with st.container(horizontal=True, gap="small"):
        st.button("Undo", icon=":material/undo:", on_click=strokes.undo, disabled=not strokes.drawn)
        st.button("Redo", icon=":material/redo:", on_click=strokes.redo, disabled=not strokes.undone)
        st.button("Clear", icon=":material/delete:", on_click=strokes.clear, disabled=not strokes.drawn)
    if strokes.picture is None:
        return None
    return _drawing(f"canvas {strokes.number}", "drawn on the canvas", strokes.picture)


def _drawing(key: str, source: str, grey: np.ndarray) -> Drawing:
    """What is drawn on a grey picture, uint8 (height, width)."""
    prepared = preprocess.prepare(grey)
    large = preprocess.at_working_size(grey, segmentation.SIDE)
    try:
        digits = () if segmentation.is_one_piece(large) else segmentation.find_digits(large)
    except ValueError:
        # It isn't blank, or there would be no digit either; what it is gets a single answer.
        digits = ()
    if len(digits) > 1:
        return Drawing(key, source, large, prepared.image, prepared.steps, digits=digits)
    # Of a photo's millions of pixels nobody needs more than are looked at.
    return Drawing(key, source, preprocess.at_working_size(grey), prepared.image, prepared.steps)


@dataclass
class Strokes:
    """What has been drawn on a canvas, and what was undone.

    Attributes:
        canvas: which canvas.
        number: of the drawing; a cleared canvas begins the next one.
        drawn: the strokes that count, as the canvas describes them.
        undone: those taken back, the last one last.
        picture: what the canvas looks like, uint8 (height, width); None while nothing is drawn.
        shown: the drawing that the canvas was last told to show.
    """

    canvas: str
    number: int = 0
    drawn: list[dict] = field(default_factory=list)
    undone: list[dict] = field(default_factory=list)
    picture: np.ndarray | None = None
    shown: dict | None = None
    _received: list[dict] | None = None
    _is_told: bool = False

    def take(self, description: dict | None, content: bytes | None) -> None:
        """Take what the canvas sent, its strokes and its PNG, unless it is what was taken before."""
        # A canvas that was just put on the page has sent nothing yet.
        if content is None or description is None or description["objects"] == self._received:
            return
        received: list[dict] = description["objects"]
        self._received = received
        if self._is_late(received):
            return
        self._is_told = False
        if len(received) > len(self.drawn):
            self.undone = []
        self.drawn = list(received)
        self.picture = None
        if self.drawn:
            grey = preprocess.read_grey(content)
            # A stroke can lie outside the canvas.
            self.picture = grey if int(grey.max()) - int(grey.min()) >= preprocess.LEAST_CONTRAST else None
        elif not self.undone:
            self.number += 1

    def _is_late(self, received: list[dict]) -> bool:
        """Whether the canvas answers to a step back or forth behind which there is another one already."""
        line = [*self.drawn, *reversed(self.undone)]
        return self._is_told and len(received) != len(self.drawn) and received == line[: len(received)]

    def undo(self) -> None:
        """Take the last stroke back."""
        self.undone.append(self.drawn[-1])
        self._show(self.drawn[:-1])

    def redo(self) -> None:
        """Draw the stroke that was last taken back."""
        self._show([*self.drawn, self.undone.pop()])

    def clear(self) -> None:
        """Begin a new drawing."""
        self.undone = []
        self._show([])

    def leave(self) -> None:
        """Remember the drawing for when the canvas is shown again."""
        self._received = None
        self._show(self.drawn)

    def _show(self, strokes: list[dict]) -> None:
        self.drawn = strokes
        self._is_told = True
        # The canvas draws anew only when this differs from what it was told before.
        self.shown = {"objects": strokes, "turn": (self.shown or {"turn": 0})["turn"] + 1}


def _from_file() -> Drawing | None:
    file = st.file_uploader(
        "A drawing, scan or photo of one or more digits",
        type=SUFFIXES,
        max_upload_size=LARGEST_UPLOAD_MB,
        key="upload",
    )
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
            st.session_state.decoded = key, _drawing(key, source, preprocess.read_grey(content, segmentation.SIDE))
    if "decoded" not in st.session_state:
        return None
    drawing = st.session_state.decoded[1]
    st.image(drawing.picture, width=SIDE, alt="the original picture")
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
    st.html(page.picture(thumbnails.on_paper(image), f"test digit {index}", SIDE))
    step = f"none: test digit {index} of MNIST, a {digits.labels[index]}, is 28×28 already"
    return Drawing(f"test digit {index}", f"MNIST test digit {index}", image, image, (step,), int(digits.labels[index]))


def _choose_sample(firsts: list[int]) -> None:
    if st.session_state.sample_digit is not None:
        st.session_state.sample = firsts[st.session_state.sample_digit]


def _choose_random_sample(count: int) -> None:
    st.session_state.sample = int(np.random.default_rng().integers(count))
    st.session_state.sample_digit = None
