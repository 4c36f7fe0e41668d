"""What the page remembers of a canvas: undo, redo and clear against plain lists, late answers, strokes outside."""

import numpy as np
import pytest

from digits import preprocess
from panels.draw import SIDE, Strokes
from tests.app.apptest import png

PAPER = np.full((SIDE, SIDE), 255, np.uint8)


def stroke(number: int) -> dict:
    return {"type": "path", "number": number}


def picture_of(strokes: list[dict]) -> bytes:
    """A canvas on which every stroke leaves a spot of its own; those below zero lie outside."""
    canvas = PAPER.copy()
    for each in strokes:
        if each["number"] >= 0:
            row, column = divmod(each["number"], 20)
            canvas[10 + 12 * row : 20 + 12 * row, 10 + 12 * column : 20 + 12 * column] = 17
    return png(canvas)


def send(strokes: Strokes, shown: list[dict]) -> None:
    """The canvas sends what it shows, then the same again, as at every later run of the page."""
    for _ in range(2):
        strokes.take({"version": "6", "objects": list(shown)}, picture_of(shown))


@pytest.mark.parametrize("seed", range(8))
def test_random_strokes_undos_redos_and_clears_are_those_of_two_lists(seed):
    rng = np.random.default_rng(seed)
    strokes = Strokes("canvas_light")
    drawn, undone, drawings, fresh = [], [], 0, 0
    send(strokes, [])
    drawings = strokes.number
    for _ in range(60):
        action = rng.choice(["draw", "draw", "undo", "redo", "clear"], p=[0.25, 0.25, 0.25, 0.2, 0.05])
        if action == "draw":
            drawn, undone, fresh = [*drawn, stroke(fresh)], [], fresh + 1
        elif action == "undo" and drawn:
            undone.append(drawn.pop())
            strokes.undo()
        elif action == "redo" and undone:
            drawn.append(undone.pop())
            strokes.redo()
        elif action == "clear" and drawn:
            drawn, undone = [], []
            strokes.clear()
        else:
            continue
        if action != "draw":
            # The page is made once before the canvas has answered.
            assert strokes.drawn == strokes.shown["objects"] == drawn
            assert strokes.undone == undone
        send(strokes, drawn)
        drawings += not drawn and not undone
        assert (strokes.drawn, strokes.undone, strokes.number) == (drawn, undone, drawings)
        if drawn:
            np.testing.assert_array_equal(strokes.picture, preprocess.read_grey(picture_of(drawn)))
        else:
            assert strokes.picture is None


def test_every_turn_differs_so_that_the_canvas_draws_anew():
    strokes = Strokes("canvas_light")
    send(strokes, [stroke(0)])
    told = []
    for _ in range(3):
        strokes.undo()
        told.append(strokes.shown)
        send(strokes, [])
        strokes.redo()
        told.append(strokes.shown)
        send(strokes, [stroke(0)])
    assert all(each != other for place, each in enumerate(told) for other in told[:place])


def test_nothing_comes_of_a_canvas_that_has_sent_nothing():
    strokes = Strokes("canvas_light")
    strokes.take({"objects": []}, None)
    strokes.take(None, None)
    assert (strokes.drawn, strokes.picture, strokes.shown) == ([], None, None)


def test_stroke_outside_the_canvas_is_no_drawing_but_can_be_undone():
    strokes = Strokes("canvas_light")
    send(strokes, [stroke(-1)])
    assert strokes.picture is None
    assert strokes.drawn == [stroke(-1)]
    send(strokes, [stroke(-1), stroke(3)])
    assert strokes.picture is not None
    strokes.undo()
    strokes.undo()
    send(strokes, [])
    assert strokes.undone == [stroke(3), stroke(-1)]


def test_canvas_full_of_ink_is_no_drawing():
    strokes = Strokes("canvas_light")
    strokes.take({"objects": [stroke(0)]}, png(PAPER - 238))
    assert strokes.picture is None


def test_late_answer_of_the_time_before_an_undo_changes_nothing():
    strokes = Strokes("canvas_light")
    send(strokes, [stroke(0), stroke(1)])
    strokes.undo()
    send(strokes, [stroke(0), stroke(1)])
    assert (strokes.drawn, strokes.undone) == ([stroke(0)], [stroke(1)])
    send(strokes, [stroke(0)])
    assert (strokes.drawn, strokes.undone) == ([stroke(0)], [stroke(1)])


def test_late_answer_to_the_first_of_two_undos_changes_nothing():
    strokes = Strokes("canvas_light")
    send(strokes, [stroke(0), stroke(1), stroke(2)])
    strokes.undo()
    strokes.undo()
    send(strokes, [stroke(0), stroke(1)])
    send(strokes, [stroke(0)])
    assert (strokes.drawn, strokes.undone) == ([stroke(0)], [stroke(2), stroke(1)])


def test_drawing_is_shown_again_on_a_canvas_that_was_away():
    strokes = Strokes("canvas_light")
    send(strokes, [stroke(0), stroke(1)])
    before = strokes.picture
    strokes.leave()
    assert strokes.shown["objects"] == [stroke(0), stroke(1)]
    assert strokes.picture is before
    send(strokes, [stroke(0), stroke(1)])
    assert (strokes.drawn, strokes.number) == ([stroke(0), stroke(1)], 0)
    np.testing.assert_array_equal(strokes.picture, before)


def test_canvas_keeps_describing_strokes_in_its_own_words():
    """Drawn anew, a stroke may come back with other fields; it is still the same stroke."""
    strokes = Strokes("canvas_light")
    send(strokes, [stroke(0), stroke(1)])
    strokes.undo()
    again = stroke(0) | {"scale": 1.0}
    send(strokes, [again])
    assert (strokes.drawn, strokes.undone) == ([again], [stroke(1)])
    strokes.redo()
    assert strokes.shown["objects"] == [again, stroke(1)]
