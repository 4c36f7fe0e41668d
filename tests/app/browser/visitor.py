"""What a visitor does on the page and sees there; the texts and selectors of the app stand here alone."""

import json
import re
from collections.abc import Callable, Sequence
from io import BytesIO
from itertools import pairwise

import numpy as np
from PIL import Image
from playwright.sync_api import Error, FloatRect, Locator, Page, expect

from digits import paths
from panels.canvas import SIDE

SCREENSHOTS = paths.REPORTS / "screenshots"
PANELS = ("Why", "Inside", "Compare", "Stress", "Models", "My handwriting")
# What shows that a panel is there.
SIGNS = {
    "Why": "img[alt*='where the evidence']",
    "Inside": "table.products",
    "Compare": "table.compare",
    "Stress": "table.stress",
    "Models": "table.cards",
    "My handwriting": "[data-testid=stBaseButton-primary]",
}
NOTHING_DRAWN = "Nothing drawn"
# What opens the game in Stress.
GAME = "Fool it: how few"
# From one point of a stroke to the next: the canvas rounds corners with fewer, and a hasty finger loses some.
MOUSE_STEPS = 3
FINGER_STEPS = 4
HAS_TEXT = """([selector, text]) =>
  [...document.querySelectorAll(selector)].some(element => element.textContent.includes(text))"""
ANSWERED = """() => {
  const {asked, answer} = document.querySelector(".answered")?.dataset ?? {};
  return !asked || asked === answer;
}"""
# What of a control and of what is around it changes when it gets the focus.
LOOKS = """control => {
  const looks = [];
  for (let part = control, level = 0; part && level < 4; part = part.parentElement, level++) {
    const style = getComputedStyle(part);
    looks.push(style.boxShadow, style.borderColor, style.outline);
  }
  return looks.join();
}"""
MOST_STOPS = 60

Stroke = Sequence[tuple[int, int]]
# The ten digits as a person would draw them, in pixels of the canvas.
DIGITS: dict[int, Sequence[Stroke]] = {
    0: [[(140, 45), (176, 65), (202, 130), (194, 188), (153, 233), (104, 217), (78, 150), (94, 76), (140, 45)]],
    1: [[(140, 40), (140, 240)]],
    2: [[(80, 90), (100, 55), (140, 45), (180, 60), (190, 95), (165, 140), (80, 230), (205, 230)]],
    3: [[(85, 60), (140, 45), (185, 75), (175, 115), (130, 135), (180, 155), (190, 200), (145, 232), (85, 215)]],
    4: [[(110, 45), (75, 160), (205, 160)], [(170, 100), (170, 240)]],
    5: [[(190, 50), (100, 50), (92, 125), (140, 115), (190, 150), (185, 205), (140, 232), (85, 215)]],
    6: [[(175, 45), (115, 100), (88, 170), (105, 222), (150, 232), (188, 195), (170, 155), (125, 155), (95, 185)]],
    7: [[(75, 55), (200, 55), (125, 235)]],
    8: [[(185, 75), (140, 45), (95, 75), (115, 120), (165, 155), (190, 195), (140, 235), (90, 195), (115, 155),
         (165, 120), (185, 75)]],
    9: [[(185, 95), (150, 50), (100, 65), (95, 110), (135, 130), (185, 95), (180, 170), (155, 238)]],
}  # fmt: skip


def canvas(page: Page) -> Locator:
    return page.get_by_role("img", name="Draw a digit here")


def main(page: Page) -> Locator:
    return page.get_by_test_id("stMain")


def sidebar(page: Page) -> Locator:
    return page.get_by_test_id("stSidebar")


def verdict(page: Page) -> Locator:
    return page.locator(".verdict")


def canvas_button(page: Page, name: str) -> Locator:
    """Undo, Redo or Clear below the canvas."""
    return main(page).get_by_role("button", name=name, exact=True)


def history(page: Page) -> Locator:
    """The recent drawings, the newest first."""
    return sidebar(page).locator(".gallery button")


def expect_paper(page: Page, is_light: bool) -> None:
    """Wait until most of the canvas is light or dark, and check that there are strokes of the other colour."""
    for _ in range(300):
        shown = canvas_pixels(page)
        if (np.median(shown) > 200) == is_light:
            break
        page.wait_for_timeout(100)
    paper, ink = np.median(shown), shown.min() if is_light else shown.max()
    assert (ink < 50 < 200 < paper) if is_light else (paper < 50 < 200 < ink)


def resting_box(found: Locator) -> FloatRect:
    """Where an element is, once it has been there for half a second: what opens above it moves it gradually."""
    boxes = [found.bounding_box()]
    while len(boxes) < 6 or boxes[-1] is None or any(box != boxes[-1] for box in boxes[-6:]):
        found.page.wait_for_timeout(100)
        boxes.append(found.bounding_box())
    return boxes[-1]


def until(page: Page, selector: str, text: str = "") -> Locator:
    """Wait for an element with a text in it, and give those there are; for what it isn't, `expect` has the words.

    `expect` alone looks less and less often, which would add up to a minute over all tests.
    """
    found = page.locator(selector).filter(has_text=text)
    try:
        page.wait_for_function(HAS_TEXT, arg=[selector, text], polling=30)
    except Error:
        expect(found.first).to_be_attached(timeout=1)
    return found


def wait_for_canvas(page: Page) -> None:
    expect(canvas(page)).to_be_visible()


def wait_until_idle(page: Page) -> None:
    """Until the server has nothing more to send."""
    until(page, "[data-test-script-state=notRunning]")


def draw(page: Page, strokes: Sequence[Stroke]) -> None:
    """Draw with the mouse."""
    for stroke in strokes:
        begin_stroke(page, stroke)
        page.mouse.up()


def begin_stroke(page: Page, stroke: Stroke) -> None:
    """Draw a stroke with the mouse, and keep its button down."""
    place = on_canvas(page)
    page.mouse.move(*place(*stroke[0]))
    page.mouse.down()
    for point in stroke[1:]:
        page.mouse.move(*place(*point), steps=MOUSE_STEPS)


def on_canvas(page: Page) -> Callable[[float, float], tuple[float, float]]:
    """Where a point of the canvas is in the window, however wide the canvas is shown."""
    canvas(page).scroll_into_view_if_needed()
    box = canvas(page).bounding_box()
    scale = box["width"] / SIDE
    return lambda x, y: (box["x"] + scale * x, box["y"] + scale * y)


def touch(page: Page, strokes: Sequence[Stroke]) -> None:
    """Draw with a finger."""
    place = on_canvas(page)
    session = page.context.new_cdp_session(page)

    def send(kind: str, *points: np.ndarray) -> None:
        fingers = [dict(zip("xy", place(*point), strict=True)) for point in points]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})

    for stroke in strokes:
        send("touchStart", stroke[0])
        for start, end in pairwise(stroke):
            for point in np.linspace(start, end, FINGER_STEPS + 1)[1:]:
                send("touchMove", point)
        send("touchEnd")
    session.detach()


def expect_answer(page: Page, digit: int) -> None:
    """The answer to what is drawn now, not to what the pen had drawn a moment before."""
    page.wait_for_function(ANSWERED, polling=30)
    until(page, ".verdict .answer", f"{digit}")


def expect_nothing(page: Page) -> None:
    until(page, ".verdict", NOTHING_DRAWN)


def expect_sentence(page: Page, words: str) -> None:
    """A message in place that holds these words."""
    until(page, "[data-testid=stAlert]", words)


def source(page: Page, name: str) -> Locator:
    """One of the places where a digit comes from."""
    return main(page).get_by_role("radio", name=name, exact=True)


def choose_sample(page: Page, digit: int) -> None:
    """The first of MNIST's test digits that shows this one."""
    samples = main(page).get_by_role("radiogroup", name="One of MNIST's test digits")
    samples.get_by_role("radio", name=f"{digit}", exact=True).click()


def use_source(page: Page, name: str) -> None:
    source(page, name).click()


def open_panel(page: Page, name: str) -> Locator:
    """Open a panel and wait for what it shows."""
    page.get_by_role("tab", name=name, exact=True).click()
    until(page, SIGNS[name])
    return page.get_by_role("tabpanel", name=name, exact=True)


def choose(page: Page, label: str, option: str) -> None:
    """Choose from a list, by typing, because a long one isn't all on the page."""
    page.get_by_role("combobox", name=label, exact=True).click()
    page.keyboard.type(option)
    page.get_by_role("option", name=option, exact=True).click()


def options(page: Page, label: str) -> list[str]:
    """What a list offers."""
    page.get_by_role("combobox", name=label, exact=True).click()
    expect(page.get_by_role("option").first).to_be_visible()
    found = page.get_by_role("option").all_inner_texts()
    page.keyboard.press("Escape")
    return found


def upload(area: Locator, name: str, content: bytes) -> None:
    """Give a file to the uploader in an area of the page, once the page is done with the last one, as a person does."""
    wait_until_idle(area.page)
    file = {"name": name, "mimeType": "application/octet-stream", "buffer": content}
    area.locator("input[type=file]").set_input_files([file])


def download(page: Page, name: str) -> bytes:
    # A rerun that is about to begin would replace the file while the browser fetches it.
    wait_until_idle(page)
    page.wait_for_timeout(1000)
    wait_until_idle(page)
    with page.expect_download() as download:
        sidebar(page).get_by_test_id("stDownloadButton").filter(has_text=name).click()
    return download.value.path().read_bytes()


def downloaded_drawing(page: Page) -> np.ndarray:
    """The drawing as the page keeps it, uint8 (height, width)."""
    return np.asarray(Image.open(BytesIO(download(page, "Drawing"))))


def canvas_pixels(page: Page) -> np.ndarray:
    """The canvas as a person sees it, uint8 (height, width)."""
    return np.asarray(Image.open(BytesIO(canvas(page).screenshot())).convert("L"))


def downloaded_verdict(page: Page) -> dict:
    return json.loads(download(page, "Verdict"))


def keep(page: Page, name: str) -> None:
    """Keep a picture of the page, of its whole height, among the artefacts."""
    width, height = page.viewport_size["width"], page.viewport_size["height"]
    whole = main(page).evaluate("area => area.scrollHeight")
    page.set_viewport_size({"width": width, "height": max(height, whole)})
    page.screenshot(path=SCREENSHOTS / f"{name}.png")
    page.set_viewport_size({"width": width, "height": height})


def overhang(page: Page) -> int:
    """By how many pixels the page is wider than the screen."""
    return page.evaluate(
        "Math.max(...[document.scrollingElement, document.querySelector('[data-testid=stMain]')]"
        ".map(area => area.scrollWidth - area.clientWidth))"
    )


def tab_to(page: Page, control: Locator) -> None:
    """Press Tab until a control has the focus, and wait until that can be seen on it or around it."""
    expect(control).to_be_visible()
    before = control.evaluate(LOOKS)
    for _ in range(MOST_STOPS):
        page.keyboard.press("Tab")
        if control.evaluate("control => control === control.getRootNode().activeElement"):
            page.wait_for_function(
                f"([control, before]) => ({LOOKS})(control) !== before", arg=[control.element_handle(), before]
            )
            return
    raise AssertionError(f"{control} can't be reached by {MOST_STOPS} times Tab")


def sample_picture(page: Page) -> Locator:
    return main(page).get_by_alt_text(re.compile(r"^test digit \d+$")).first


def caption(page: Page, words: str) -> None:
    """Wait for a remark that holds these words."""
    until(page, "[data-testid=stCaptionContainer]", words)


def sample(page: Page) -> int:
    """Which of MNIST's test digits is shown."""
    return int(sample_picture(page).get_attribute("alt").split()[-1])
