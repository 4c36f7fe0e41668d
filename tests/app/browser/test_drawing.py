"""A digit is drawn, and the page says which it is, with mouse, finger or keys, on light and dark paper."""

import re

import numpy as np
from playwright.sync_api import expect

from digits import preprocess
from digits.checkpoints import recognizer

from . import visitor

ONE, BAR = [(200, 55), (125, 235)], [(75, 55), (200, 55)]


def two_by_another_brush(page, key: str) -> np.ndarray:
    """A 2 by the brush to which a key takes the slider, uint8 (height, width)."""
    page.get_by_role("slider", name="Brush").press(key)
    visitor.wait_until_idle(page)
    visitor.canvas_button(page, "Clear").click()
    visitor.expect_nothing(page)
    visitor.wait_until_idle(page)
    visitor.draw(page, visitor.DIGITS[2])
    visitor.expect_answer(page, 2)
    return visitor.downloaded_drawing(page)


def test_drawing_with_every_button_and_brush(page):
    visitor.expect_nothing(page)
    visitor.draw(page, [ONE])
    visitor.expect_answer(page, 1)
    visitor.draw(page, [BAR])
    visitor.expect_answer(page, 7)
    visitor.canvas_button(page, "Undo").click()
    visitor.expect_answer(page, 1)
    visitor.canvas_button(page, "Redo").click()
    visitor.expect_answer(page, 7)
    expect(visitor.canvas_button(page, "Redo")).to_be_disabled()
    visitor.wait_until_idle(page)
    visitor.canvas_button(page, "Clear").click()
    visitor.expect_nothing(page)
    visitor.draw(page, visitor.DIGITS[3])
    visitor.expect_answer(page, 3)
    expect(visitor.history(page)).to_have_text(["3", "7"])
    visitor.keep(page, "drawing")

    thin = two_by_another_brush(page, "Home")
    visitor.use_source(page, "Samples")
    visitor.expect_answer(page, 4)
    visitor.use_source(page, "Draw")
    visitor.expect_answer(page, 2)
    assert np.array_equal(visitor.downloaded_drawing(page), thin)

    thick = two_by_another_brush(page, "End")
    assert (thick < 128).sum() > 5 * (thin < 128).sum()

    answer = visitor.downloaded_verdict(page)
    seen = preprocess.prepare(thick).image
    assert np.array_equal(answer["image"], seen)
    assert answer["prediction"] == recognizer.load(answer["model"]).predict_proba(seen[None]).argmax() == 2
    assert len(answer["probabilities"]) == 10
    assert answer["true_digit"] is None


def test_dark_canvas_in_the_dark_theme(open_page):
    page = open_page(color_scheme="dark")
    visitor.draw(page, visitor.DIGITS[7])
    visitor.expect_answer(page, 7)
    visitor.expect_paper(page, is_light=False)
    page.get_by_role("radio", name="Light", exact=True).press("Space")
    visitor.expect_paper(page, is_light=True)
    visitor.expect_answer(page, 7)
    page_colour = page.evaluate("getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor")
    assert max(map(int, re.findall(r"\d+", page_colour)[:3])) < 60
    visitor.keep(page, "dark")


def test_finger_on_a_phone(open_page):
    page = open_page(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    visitor.touch(page, visitor.DIGITS[4][:1])
    expect(visitor.canvas_button(page, "Clear")).to_be_enabled()
    visitor.touch(page, visitor.DIGITS[4][1:])
    visitor.expect_answer(page, 4)
    visitor.keep(page, "phone")
    for panel in visitor.PANELS:
        visitor.open_panel(page, panel)
        visitor.wait_until_idle(page)
        assert visitor.overhang(page) <= 0, panel


def test_keyboard_alone_reaches_everything(page):
    visitor.draw(page, visitor.DIGITS[1])
    visitor.expect_answer(page, 1)
    visitor.wait_until_idle(page)
    visitor.tab_to(page, visitor.canvas_button(page, "Undo"))
    page.keyboard.press("Enter")
    visitor.expect_nothing(page)
    visitor.tab_to(page, visitor.canvas_button(page, "Redo"))
    page.keyboard.press("Space")
    visitor.expect_answer(page, 1)
    visitor.tab_to(page, page.get_by_role("tab", name="Why"))
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator(visitor.SIGNS["Inside"])).to_be_visible()
    visitor.tab_to(page, page.get_by_role("combobox", name="Model", exact=True))
    page.keyboard.type("mnist_cnn")
    page.keyboard.press("Enter")
    expect(page.get_by_role("combobox", name="Model", exact=True)).not_to_have_value("mnist_advanced")
    visitor.tab_to(page, visitor.source(page, "Draw"))
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    visitor.expect_answer(page, 4)
    expect(visitor.source(page, "Samples")).to_be_checked()

    # What the panels offer, too.
    visitor.tab_to(page, page.get_by_role("tab", name="Inside"))
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    visitor.until(page, visitor.SIGNS["Models"])
    visitor.wait_until_idle(page)
    visitor.tab_to(page, page.get_by_role("radio", name="Robustness"))
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    visitor.caption(page, "Is the confidence calibrated?")
    visitor.tab_to(page, page.get_by_role("tab", name="Models"))
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    visitor.until(page, visitor.SIGNS["My handwriting"])
    visitor.wait_until_idle(page)
    visitor.tab_to(page, page.get_by_role("button", name="Save it as a 4"))
