"""Several people at once, each with a drawing of their own; and strangers on a public page."""

from playwright.sync_api import expect

from . import visitor


def test_five_people_draw_at_once_and_each_gets_an_answer_of_their_own(open_page):
    people = [open_page(wait=False) for _ in range(5)]
    for digit, person in enumerate(people):
        # Where nobody looks, a browser is slow.
        person.bring_to_front()
        visitor.wait_for_canvas(person)
        visitor.draw(person, visitor.DIGITS[digit])
    for digit, person in enumerate(people):
        visitor.expect_answer(person, digit)
    for digit, person in enumerate(people):
        visitor.wait_until_idle(person)
        expect(visitor.verdict(person).locator(".answer")).to_have_text(f"{digit}")
        expect(visitor.history(person).last).to_have_text(f"{digit}")


def test_public_page_takes_and_keeps_nothing(public_server, open_page):
    page = open_page(public_server.url)
    expect(visitor.sidebar(page).get_by_text("Help", exact=True)).to_be_visible()
    assert visitor.sidebar(page).get_by_text("Your own model").count() == 0
    visitor.use_source(page, "Samples")
    visitor.expect_answer(page, 4)
    page.get_by_role("tab", name="My handwriting").click()
    visitor.caption(page, "nothing is saved")
    assert page.locator(visitor.SIGNS["My handwriting"]).count() == 0
    # Without its report no model has been swept.
    (public_server.root / "docs").unlink()
    # The larger models take seconds to read the test digits.
    visitor.choose(page, "Model", "mnist_mlp")
    visitor.expect_answer(page, 4)
    visitor.open_panel(page, "Models")
    visitor.caption(page, "has no corruption sweep yet")
    visitor.wait_until_idle(page)
    assert visitor.main(page).get_by_text("quick sweep").count() == 0
    assert not (public_server.root / "my_digits").exists()
    assert not (public_server.root / "reports").exists()
