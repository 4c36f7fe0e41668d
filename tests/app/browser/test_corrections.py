"""An answer is corrected with the mouse or the keyboard, counts at once, and is undone."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from . import visitor

NAME = "No, it's:"


def choices(page):
    return visitor.main(page).get_by_role("radiogroup", name=NAME)


def serious(page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [each["id"] for each in found if each["impact"] in ("serious", "critical")]


@pytest.mark.parametrize("width", [360, 390, 1280, 1400])
def test_a_correction_counts_at_once_fits_the_screen_and_can_be_undone(open_page, server, width):
    page = open_page(viewport={"width": width, "height": 900})
    visitor.draw(page, visitor.DIGITS[7])
    visitor.expect_answer(page, 7)
    visitor.until(page, visitor.SIGNS["Why"])
    visitor.keep(page, f"correction_before_{width}")
    expect(choices(page).get_by_role("radio")).to_have_text(list("0123456789"))
    boxes = [each.bounding_box() for each in choices(page).get_by_role("radio").all()]
    assert len({box["y"] for box in boxes}) == 1
    if width == 1280:
        visitor.tab_to(page, choices(page).get_by_role("radio", name="0", exact=True))
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Space")
    else:
        choices(page).get_by_role("radio", name="1", exact=True).click()
    visitor.expect_answer(page, 1)
    visitor.until(page, ".verdict", "As you taught it; by itself, the model reads 7")
    visitor.until(page, "[data-testid=stCaptionContainer]", "Kept as a 1 in my_digits/1/")
    visitor.wait_until_idle(page)
    assert len(list((server.root / "my_digits" / "1").glob("corrected-*.png"))) == 1
    assert visitor.overhang(page) == 0
    assert not serious(page)
    visitor.keep(page, f"correction_after_{width}")
    page.get_by_role("button", name="Undo correction").click()
    visitor.expect_answer(page, 7)
    visitor.wait_until_idle(page)
    assert not list((server.root / "my_digits").rglob("corrected-*.png"))
