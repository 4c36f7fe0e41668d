"""The server goes away and comes back: the page says what to do, and goes on where it was."""

from playwright.sync_api import expect

from . import visitor


def test_page_says_that_the_server_has_gone_and_goes_on_when_it_is_back(restartable, browser):
    page = browser.new_page()
    page.goto(restartable.url)
    visitor.wait_for_canvas(page)
    visitor.draw(page, visitor.DIGITS[7])
    visitor.expect_answer(page, 7)
    visitor.wait_until_idle(page)

    restartable.stop()
    dialog = page.get_by_role("dialog", name="Connection error")
    expect(dialog).to_be_visible()
    expect(dialog.get_by_text("yourscript")).to_be_hidden()
    expect(dialog.get_by_text("Is Streamlit still running")).to_have_css("font-size", "0px")
    told = "dialog => [...dialog.querySelectorAll('*')].map(part => getComputedStyle(part, '::after').content).join()"
    assert "start it again: make app" in dialog.evaluate(told)

    restartable.start()
    expect(dialog).to_be_hidden()
    # The digit that is on the canvas is the one that is answered, and so is the next.
    visitor.wait_until_idle(page)
    visitor.expect_answer(page, 7)
    visitor.canvas_button(page, "Clear").click()
    visitor.expect_nothing(page)
    visitor.draw(page, visitor.DIGITS[3])
    visitor.expect_answer(page, 3)
    page.close()
