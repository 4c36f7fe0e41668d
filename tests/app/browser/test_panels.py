"""Why, compare, stress and handwriting, as a visitor uses them."""

from io import BytesIO

import numpy as np
from PIL import Image
from playwright.sync_api import Locator, expect

from digits import data, paths
from digits.checkpoints import cards, recognizer

from . import visitor

HEAT = "img[alt*='where the evidence']"
CAM = "img[alt^='Grad-CAM: where the evidence']"


def test_why_shows_each_method_and_contrast_and_can_be_switched_off(page):
    visitor.use_source(page, "Samples")
    visitor.caption(page, "support 4")
    visitor.wait_until_idle(page)
    # It is about the answer to the digit at hand.
    visitor.choose_sample(page, 9)
    visitor.caption(page, "support 9")
    visitor.wait_until_idle(page)
    shown = page.get_by_role("combobox", name="Evidence for", exact=True).input_value()
    assert shown in ("the answer, 9", "the answer")
    visitor.choose_sample(page, 4)
    visitor.expect_answer(page, 4)
    visitor.caption(page, "support 4")
    visitor.wait_until_idle(page)
    heat = visitor.until(page, CAM)
    answer = heat.get_attribute("src")
    visitor.wait_until_idle(page)
    visitor.choose(page, "Rather than", "9")
    visitor.caption(page, "rather than 9")
    assert heat.get_attribute("src") != answer
    visitor.choose(page, "Method", "HiResCAM")
    visitor.until(page, "img[alt^='HiResCAM: where the evidence']")
    expect(page.locator(HEAT)).to_have_count(2)
    page.get_by_role("switch", name="Find the fewest pixels").press("Space")
    visitor.until(page, "img[alt='the digit changed into a 9']")
    visitor.keep(page, "why")
    page.get_by_role("switch", name="Grad-CAM").press("Space")
    visitor.caption(page, "switched off")
    expect(page.locator(HEAT)).to_have_count(0)
    visitor.choose(page, "Model", "mnist_mlp")
    page.get_by_role("switch", name="Grad-CAM").press("Space")
    visitor.expect_sentence(page, "mnist_mlp has no convolutional layer")


def test_compare_asks_every_model_and_stress_corrupts_in_28_ways(page):
    visitor.use_source(page, "Samples")
    visitor.expect_answer(page, 4)
    visitor.choose_sample(page, 5)
    visitor.expect_answer(page, 5)
    panel = visitor.open_panel(page, "Compare")
    visitor.wait_until_idle(page)
    test = data.load_test()
    image = test.images[[np.argmax(test.labels == 5)]]
    rows = panel.locator("tbody tr")
    shown = dict(zip(rows.locator("th").all_inner_texts(), rows.locator("td.large").all_inner_texts(), strict=True))
    expected = {
        name: f"{recognizer.load(name).predict_proba(image).argmax()}" for name in cards.available(paths.MODELS)
    }
    assert {name.splitlines()[0]: answer for name, answer in shown.items()} == expected
    expect(panel.locator("td img")).to_have_count(len(expected))
    visitor.keep(page, "compare")

    visitor.open_panel(page, "Stress")
    visitor.wait_until_idle(page)
    expect(page.locator("table.stress tbody tr")).to_have_count(28)
    expect(page.locator("table.stress .cell img")).to_have_count(28 * 5)
    mixture = page.locator(".mixture img")
    before = mixture.get_attribute("src")
    page.get_by_role("slider", name="Rotation").press("End")
    expect(mixture).not_to_have_attribute("src", before)
    visitor.keep(page, "stress")


def test_handwriting_is_kept_under_its_digit_until_it_is_removed(page, server):
    visitor.draw(page, visitor.DIGITS[8])
    visitor.expect_answer(page, 8)
    visitor.wait_until_idle(page)
    panel = visitor.open_panel(page, "My handwriting")
    panel.get_by_role("radio", name="3", exact=True).click()
    panel.get_by_role("button", name="Save it as a 3").click()
    visitor.until(page, ".shelf img[alt='a 3 of yours']")
    assert len(list((server.root / "my_digits" / "3").iterdir())) == 1
    visitor.until(page, "table.mine", "0 of 1")
    visitor.keep(page, "handwriting")
    visitor.wait_until_idle(page)
    panel.get_by_text("Remove one").click()
    # Not by the mouse, which may miss what is still unfolding.
    panel.get_by_role("button", name="Remove it").press("Enter")
    visitor.caption(page, "Nothing is saved yet")
    assert not list((server.root / "my_digits" / "3").iterdir())


def test_tapped_pixels_are_flipped_where_they_were_tapped(page):
    digit = _open_game(page)
    for side in (5, 275):
        digit.click(position={"x": side, "y": side})
    visitor.until(page, ".mixture", "2 changed pixels: still a 1")
    rows, columns = _red(digit)
    assert {*zip((rows // 140).tolist(), (columns // 140).tolist(), strict=True)} == {(0, 0), (1, 1)}
    digit.click(position={"x": 5, "y": 5})
    visitor.until(page, ".mixture", "1 changed pixel: still a 1")


def test_strokes_that_fool_the_model_are_drawn_counted_and_undone(page):
    digit = _open_game(page)
    digit.scroll_into_view_if_needed()
    box = visitor.resting_box(digit)
    # A bar at the top makes it a 7.
    page.mouse.move(box["x"] + 60, box["y"] + 45)
    page.mouse.down()
    page.mouse.move(box["x"] + 140, box["y"] + 45, steps=5)
    page.mouse.up()
    visitor.until(page, ".mixture", "1 new stroke: fooled, 1 → 7")
    rows, columns = _red(digit)
    assert abs(rows.mean() - 45) < 12
    assert columns.min() < 60 < 110 < columns.max()
    digit.click(position={"x": 5, "y": 275})
    visitor.until(page, ".mixture", "1 new stroke and 1 changed pixel")
    for left in ("1 new stroke:", "No change: still a 1"):
        page.get_by_role("tabpanel").get_by_role("button", name="Undo").click()
        visitor.until(page, ".mixture", left)


def _open_game(page) -> Locator:
    """Draw a 1 and open Fool it; the picture that is changed there."""
    visitor.draw(page, visitor.DIGITS[1])
    visitor.expect_answer(page, 1)
    visitor.open_panel(page, "Stress")
    visitor.wait_until_idle(page)
    page.get_by_text(visitor.GAME).click()
    return page.get_by_alt_text("the digit with")


def _red(picture: Locator) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of added ink."""
    shown = np.asarray(Image.open(BytesIO(picture.screenshot())).convert("RGB"))
    red, green, _ = np.moveaxis(shown.astype(int), -1, 0)
    rows, columns = np.nonzero(red - green > 60)
    return rows, columns
