"""Canvas: what is drawn with mouse, pen or finger, as strokes that the browser keeps and as the picture they make."""

from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import cv2
import numpy as np
import streamlit as st
from pydantic import BaseModel, Field, FiniteFloat, ValidationError
from streamlit.components import v2

SIDE = 280
# The key of the fragment that follows a stroke while it is being drawn.
FOLLOWER = "answer"
HERE = Path(__file__).parent
HTML = """
<div class="pad">
  <canvas width="560" height="560" role="img" aria-label="Draw a digit here"></canvas>
  <div class="controls">
    <button type="button" class="undo">Undo</button>
    <button type="button" class="redo">Redo</button>
    <button type="button" class="clear">Clear</button>
  </div>
</div>
"""
# OpenCV takes coordinates as whole numbers of 1/16 pixel.
SHIFT = 4

_mount = v2.component(
    "digits.canvas",
    html=HTML,
    css=(HERE / "canvas.css").read_text(encoding="utf-8"),
    js=(HERE / "canvas.js").read_text(encoding="utf-8"),
)
_mount_live = v2.component(
    "digits.stroke",
    js=(HERE / "stroke.js").read_text(encoding="utf-8"),
    isolate_styles=False,
)


class Stroke(BaseModel):
    """A line of the pen, in pixels of the canvas: its width, and x and y of each point in turn."""

    width: float = Field(ge=1, le=100)
    points: list[FiniteFloat] = Field(min_length=2, max_length=20_002)


class Sketch(BaseModel):
    """What the browser says of the canvas.

    Attributes:
        number: of the drawing, another after each Clear.
        strokes: what is drawn, the last of which may be unfinished.
        unfinished: whether the pen is still down.
        report: the number of this message.
    """

    number: int = Field(ge=0)
    strokes: list[Stroke] = Field(max_length=1000)
    unfinished: bool = False
    report: int = Field(0, ge=0)


@dataclass(frozen=True)
class Pen:
    """What the canvas draws with: the width in pixels, and `auto`, `light` or `dark` paper."""

    width: int
    paper: str


def show(pen: Pen) -> Sketch | None:
    """Show the canvas and its buttons; None for a canvas that is new on the page."""
    result = _mount(
        data={"width": pen.width, "paper": pen.paper, "load": st.session_state.get("sketch_to_load")},
        key="canvas",
        default={"drawing": None},
        on_drawing_change=_note_drawing,
    )
    return sketch(result.drawing)


def newest() -> Sketch | None:
    """What the browser told last, perhaps of a stroke that isn't finished; None without a canvas."""
    if "canvas" not in st.session_state:
        return None
    told = [sketch(st.session_state[key].drawing) for key in ("canvas", "live") if key in st.session_state]
    return max(filter(None, told), key=lambda each: each.report, default=None)


def follow() -> None:
    """Let the browser tell of a stroke while it is drawn, each time that its last report has been answered."""
    answered = newest()
    _mount_live(
        data={"report": answered.report if answered else 0},
        key="live",
        default={"drawing": None},
        on_drawing_change=lambda: None,
    )


def _note_drawing() -> None:
    """Let only the answer follow a stroke that begins while the panels are still about the one before."""
    drawn = newest()
    if drawn and drawn.unfinished:
        st.rerun(FOLLOWER)


def sketch(sent: object) -> Sketch | None:
    """What a browser sent, if it is a drawing: a canvas that is new on the page has sent nothing yet."""
    try:
        return Sketch.model_validate(sent)
    except ValidationError:
        return None


def load(earlier: Sketch) -> None:
    """Let the canvas show an earlier drawing; the browser adds it to what can be undone."""
    # The browser tells one request from another, also after a reload, by its mark.
    st.session_state.sketch_to_load = {**earlier.model_dump(), "mark": uuid4().hex}


def picture(strokes: list[Stroke]) -> np.ndarray:
    """Strokes as dark ink on light paper, uint8 (280, 280)."""
    paper = np.full((SIDE, SIDE), 255, np.uint8)
    for stroke in strokes:
        points = np.array(stroke.points[: len(stroke.points) // 2 * 2], np.float64).reshape(-1, 2)
        # Far outside, they would overflow OpenCV's arithmetic.
        points = np.clip(points, -SIDE, 2 * SIDE)
        # A line between the centres of pixels, where OpenCV's coordinates are whole numbers.
        whole = np.round((points - 0.5) * 2**SHIFT).astype(np.int32)
        thickness = max(1, round(stroke.width))
        cv2.polylines(paper, [np.concatenate([whole, whole[-1:]])], False, 17, thickness, cv2.LINE_AA, SHIFT)
    return paper
