"""The canvas at every width, strokes from every edge, and drawings that outlast a reload, a colour and a Clear."""

import numpy as np
import pytest
from playwright.sync_api import expect

from panels.canvas import SIDE

from . import visitor

# Phones, tablets, half windows, laptops.
WIDTHS = (360, 390, 700, 820, 1024, 1280, 1400)
EDGE = SIDE - 3
STARTS = [(3, 3), (140, 3), (EDGE, 3), (EDGE, 140), (EDGE, EDGE), (140, EDGE), (3, EDGE), (3, 140)]
# What sticks out of the window, or of its column. Wide tables and the tabs scroll in their own frames;
# a slider's input is there for screen readers only.
STICKING_OUT = """() => [...document.querySelectorAll("[data-testid=stMain] *")].filter(element => {
  const box = element.getBoundingClientRect();
  const column = element.closest("[data-testid=stColumn]")?.getBoundingClientRect();
  const isHidden = !box.width || !element.checkVisibility({visibilityProperty: true, opacityProperty: true});
  if (isHidden || element.closest(".scroll, [role=tablist], [inert], input[type=range]")) return false;
  const [left, right] = column ? [column.left, column.right] : [0, innerWidth];
  return box.left < left - 1 || box.right > right + 1;
}).map(element => element.outerHTML.slice(0, 120))"""


def test_nothing_is_cut_off_at_any_width(open_page):
    page = open_page(viewport={"width": WIDTHS[0], "height": 844})
    visitor.draw(page, visitor.DIGITS[1])
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 844})
        visitor.canvas_button(page, "Clear").click()
        visitor.expect_nothing(page)
        visitor.wait_until_idle(page)
        visitor.canvas(page).scroll_into_view_if_needed()
        box = visitor.resting_box(visitor.canvas(page))
        visitor.draw(page, visitor.DIGITS[8])
        visitor.expect_answer(page, 8)
        visitor.until(page, visitor.SIGNS["Why"])
        assert visitor.canvas(page).bounding_box() == box, f"the canvas moved under the pen at {width}"
        visitor.wait_until_idle(page)
        assert visitor.canvas(page).bounding_box()["width"] >= 280
        assert page.evaluate(STICKING_OUT) == [], width
        assert visitor.overhang(page) <= 0, width
        visitor.keep(page, f"width_{width}")


@pytest.mark.parametrize("width", [820, 1400])
def test_a_narrow_window_has_no_room_for_the_sidebar_beside_the_page(open_page, width):
    page = open_page(viewport={"width": width, "height": 844})
    expect(visitor.sidebar(page)).to_have_attribute("data-collapsed", "true" if width < 1250 else "false")


def test_a_phone_shows_canvas_and_answer_together(open_page):
    page = open_page(viewport={"width": 390, "height": 844})
    visitor.draw(page, visitor.DIGITS[8])
    visitor.expect_answer(page, 8)
    bars = page.locator(".bars").bounding_box()
    assert visitor.canvas(page).bounding_box()["y"] >= 0
    assert bars["y"] + bars["height"] <= 844


def test_a_stroke_can_begin_anywhere(page):
    visitor.draw(page, [[start, (140, 140)] for start in STARTS])
    visitor.until(page, ".verdict .answer")
    shown = visitor.canvas_pixels(page)
    for x, y in STARTS:
        # The corners of the canvas are rounded.
        assert shown[y + np.sign(140 - y) * 4, x + np.sign(140 - x) * 4] < 50
    # Between two of them there is none.
    assert shown[EDGE - 4, 70] == 255
    for _ in STARTS:
        visitor.canvas_button(page, "Undo").click()
    visitor.expect_nothing(page)
    expect(visitor.canvas_button(page, "Undo")).to_be_disabled()


def test_a_drawing_outlasts_reload_back_and_colour(page):
    visitor.draw(page, visitor.DIGITS[7])
    visitor.expect_answer(page, 7)
    before = visitor.canvas_pixels(page)
    page.reload()
    visitor.expect_answer(page, 7)
    np.testing.assert_array_equal(visitor.canvas_pixels(page), before)
    page.goto("about:blank")
    page.go_back()
    visitor.expect_answer(page, 7)
    page.emulate_media(color_scheme="dark")
    visitor.expect_answer(page, 7)


def test_keys_undo_and_redo_and_the_history_brings_back(page):
    visitor.draw(page, visitor.DIGITS[3])
    visitor.expect_answer(page, 3)
    visitor.draw(page, [[(20, 270), (60, 270)]])
    visitor.wait_until_idle(page)
    page.keyboard.press("Control+z")
    visitor.expect_answer(page, 3)
    visitor.wait_until_idle(page)
    page.keyboard.press("Control+z")
    visitor.expect_nothing(page)
    page.keyboard.press("Control+y")
    visitor.expect_answer(page, 3)
    visitor.canvas_button(page, "Clear").click()
    visitor.expect_nothing(page)
    visitor.draw(page, visitor.DIGITS[7])
    visitor.expect_answer(page, 7)
    visitor.wait_until_idle(page)
    expect(visitor.history(page)).to_have_text(["7", "3"])
    visitor.history(page).last.click()
    visitor.expect_answer(page, 3)
    visitor.wait_until_idle(page)
    expect(visitor.history(page)).to_have_text(["3", "7"])
    # What it replaced can be had back, too.
    page.keyboard.press("Control+z")
    visitor.expect_answer(page, 7)


def test_the_history_brings_back_a_sample_and_an_upload(page):
    visitor.use_source(page, "Samples")
    visitor.expect_answer(page, 4)
    visitor.use_source(page, "Draw")
    visitor.draw(page, visitor.DIGITS[7])
    visitor.expect_answer(page, 7)
    visitor.wait_until_idle(page)
    visitor.history(page).last.click()
    visitor.expect_answer(page, 4)
