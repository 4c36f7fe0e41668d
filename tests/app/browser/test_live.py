"""The answer follows the pen while it is down; all else waits until it is lifted."""

from playwright.sync_api import expect

from . import visitor

ONE, BAR = [(200, 55), (125, 235)], [(75, 55), (200, 55)]
# How the canvas is found again, and what it has told the server of.
MARK = """canvas => {
  [canvas.isMarked, canvas.moves] = [true, 0];
  canvas.addEventListener("pointermove", event => canvas.moves += event.getCoalescedEvents().length);
}"""
POINTS = "JSON.parse(sessionStorage.getItem('digit-workbench-drawing')).steps.map(stroke => stroke.points.length / 2)"
# A connection on which each message from the server takes half a second.
LATE = """
window.sent = window.answers = 0;
window.WebSocket = class extends WebSocket {
  addEventListener(kind, listener, ...others) {
    const late = event => setTimeout(() => listener(event), 500);
    super.addEventListener(kind, kind === "message" ? late : listener, ...others);
  }
  send(...message) { window.sent++; super.send(...message); }
};
let last;
setInterval(() => {
  const answer = document.querySelector(".answered")?.dataset.answer;
  if (answer !== last) [last, window.answers] = [answer, window.answers + 1];
}, 10);"""
SCROLLED = "document.querySelector('[data-testid=stMain]').scrollTop"


def test_the_answer_follows_a_stroke_and_the_history_waits_for_its_end(page):
    visitor.canvas(page).evaluate(MARK)
    visitor.begin_stroke(page, visitor.DIGITS[6][0])
    visitor.expect_answer(page, 6)
    expect(visitor.history(page)).to_have_count(0)
    page.mouse.up()
    visitor.until(page, visitor.SIGNS["Why"])
    visitor.wait_until_idle(page)
    expect(visitor.history(page)).to_have_text(["6"])
    # No point was lost (the way to the first counts for it), and the canvas is the same one.
    assert page.evaluate(POINTS) == [visitor.canvas(page).evaluate("canvas => canvas.moves")]
    assert visitor.canvas(page).evaluate("canvas => canvas.isMarked")


def test_the_answer_follows_the_next_stroke_while_the_panels_are_busy_with_the_last(page):
    visitor.draw(page, visitor.DIGITS[1])
    visitor.expect_answer(page, 1)
    visitor.open_panel(page, "Stress")
    scrolled = page.evaluate(SCROLLED)
    visitor.canvas_button(page, "Clear").click()
    visitor.expect_nothing(page)
    visitor.draw(page, [ONE])
    visitor.begin_stroke(page, BAR)
    visitor.expect_answer(page, 7)
    expect(visitor.history(page).filter(has_text="7")).to_have_count(0)
    assert page.evaluate(SCROLLED) == scrolled
    page.mouse.up()
    visitor.until(page, "table.stress img[alt*=': 7']")
    visitor.expect_answer(page, 7)


def test_several_digits_are_followed_and_undone(page):
    visitor.draw(page, [[(70, 60), (70, 220)]])
    visitor.expect_answer(page, 1)
    visitor.begin_stroke(page, [(210, 60), (210, 220)])
    visitor.until(page, ".number b", "11")
    page.mouse.up()
    expect(page.get_by_role("radio", name="2: 1", exact=True)).to_be_visible()
    visitor.canvas_button(page, "Undo").click()
    visitor.expect_answer(page, 1)
    visitor.wait_until_idle(page)
    expect(page.locator(".number")).to_have_count(0)


def test_tabs_of_one_browser_draw_at_the_same_time(page, open_page):
    other = open_page()
    visitor.begin_stroke(page, visitor.DIGITS[7][0])
    visitor.begin_stroke(other, visitor.DIGITS[3][0])
    visitor.expect_answer(page, 7)
    visitor.expect_answer(other, 3)
    page.mouse.up()
    other.mouse.up()
    for each, digit in ((page, 7), (other, 3)):
        visitor.wait_until_idle(each)
        visitor.expect_answer(each, digit)
        expect(visitor.history(each)).to_have_text([f"{digit}"])


def test_of_answers_that_come_late_the_newest_stands(page):
    page.add_init_script(LATE)
    page.reload()
    visitor.expect_nothing(page)
    visitor.wait_until_idle(page)
    page.evaluate("window.sent = 0")
    visitor.begin_stroke(page, visitor.DIGITS[6][0])
    visitor.expect_answer(page, 6)
    # The canvas waits for an answer with its next report.
    assert page.evaluate("window.sent") <= page.evaluate("window.answers") + 1
    page.mouse.up()
    visitor.draw(page, [[(20, 270), (60, 270)]])
    visitor.canvas_button(page, "Undo").click()
    visitor.canvas_button(page, "Clear").click()
    visitor.draw(page, visitor.DIGITS[7])
    visitor.expect_answer(page, 7)
    visitor.wait_until_idle(page)
    visitor.expect_answer(page, 7)
    expect(visitor.history(page).first).to_have_text("7")
