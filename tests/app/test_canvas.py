"""The picture that strokes make, against distances worked out pixel by pixel; what isn't a drawing makes none."""

import numpy as np
import pytest

from panels import canvas
from panels.canvas import SIDE, Sketch, Stroke

LINE = [(60.0, 200.0), (140.5, 50.25), (220.0, 200.0)]


def distances(points: list[tuple[float, float]]) -> np.ndarray:
    """From each pixel's centre to the nearest point on the line, in pixels, (280, 280)."""
    centres = np.stack(np.meshgrid(np.arange(SIDE) + 0.5, np.arange(SIDE) + 0.5), axis=-1)
    found = np.full((SIDE, SIDE), np.inf)
    for start, end in zip(points, [*points[1:], points[-1]], strict=True):
        start, along = np.array(start), np.subtract(end, start)
        share = ((centres - start) @ along / max(along @ along, 1e-12)).clip(0, 1)
        found = np.minimum(found, np.linalg.norm(centres - start - share[..., None] * along, axis=-1))
    return found


@pytest.mark.parametrize("width", [4, 18, 31, 40])
@pytest.mark.parametrize("points", [LINE, LINE[:1], [(0.0, 0.0), (280.0, 280.0)]], ids=["angle", "dot", "diagonal"])
def test_ink_is_where_the_pen_was(points, width):
    picture = canvas.picture([Stroke(width=width, points=[each for point in points for each in point])])
    away = distances(points)
    # OpenCV blends the edge over a pixel and rounds the width to one that it can centre.
    assert (picture[away < width / 2 - 1] == 17).all()
    assert (picture[away > width / 2 + 2] == 255).all()


def test_strokes_lie_on_one_another_and_may_leave_the_canvas():
    strokes = [Stroke(width=9, points=[20, 20, 90, 20]), Stroke(width=9, points=[20, 60, 1e9, 60])]
    both = canvas.picture(strokes)
    np.testing.assert_array_equal(both, np.minimum(*(canvas.picture([each]) for each in strokes)))
    assert both[60, -1] == 17


@pytest.mark.parametrize(
    "sent",
    [
        None,
        {"number": -1, "strokes": [{"width": 9, "points": [1, 2]}]},
        {"number": 0, "strokes": [{"width": 9, "points": []}]},
        {"number": 0, "strokes": [{"width": 1e9, "points": [1, 2]}]},
        {"number": 0, "strokes": [{"width": 9, "points": [float("nan"), 2]}]},
        {"number": 0, "strokes": [{"width": 9, "points": [1, 2]}] * 1001},
        "<script>",
    ],
)
def test_what_is_no_drawing_draws_nothing(sent):
    assert canvas.sketch(sent) is None


def test_a_drawing_is_taken_as_it_was_sent():
    sent = {"number": 3, "strokes": [{"width": 18, "points": [1, 2.5, 3, 4]}]}
    assert canvas.sketch(sent) == Sketch(number=3, strokes=[Stroke(width=18, points=[1, 2.5, 3, 4])])
