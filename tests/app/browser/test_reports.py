"""A report on paper and in the dark: no column is lost, nothing stays closed, and it says how it was made."""

import re
from datetime import UTC, datetime

import numpy as np
import onnxruntime
import pytest

from digits.reporting import html

# A4 between Chromium's margins, in CSS pixels.
PAPER_WIDTH = 718
WORDS = [f"a rather long heading {column}" for column in range(9)]


@pytest.fixture
def report(browser):
    """A report with a wide table and a closed part."""
    cells = "".join(f"<th>{words}</th>" for words in WORDS)
    values = "<td>99.99 % – 100.00 %</td>" * len(WORDS)
    wide = f'<div class="scroll"><table><tr>{cells}</tr><tr>{values}</tr></table></div>'
    page = browser.new_page(viewport={"width": PAPER_WIDTH, "height": 1000})
    page.set_content(
        html.render("base.html.j2").replace(
            "<footer>", f"{wide}<details><summary>More</summary><p id='more'>inside</p></details><footer>"
        )
    )
    yield page
    page.close()


def test_on_paper_every_column_is_there_and_everything_is_open(report):
    table = report.locator("table")
    assert table.bounding_box()["width"] > PAPER_WIDTH
    assert report.locator("#more").evaluate("part => part.getBoundingClientRect().height") == 0
    report.emulate_media(media="print")
    box = table.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= PAPER_WIDTH
    assert report.locator("#more").evaluate("part => part.getBoundingClientRect().height") > 0


def test_in_the_dark_the_page_is_dark_and_its_text_is_legible(report):
    report.emulate_media(color_scheme="dark")
    colours = report.evaluate(
        "(({color, backgroundColor}) => [color, backgroundColor])(getComputedStyle(document.body))"
    )
    ink, paper = (np.mean([int(number) for number in re.findall(r"\d+", colour)[:3]]) for colour in colours)
    assert paper < 40
    assert ink > 200


def test_a_report_says_when_and_with_what_it_was_written(report, monkeypatch):
    monkeypatch.setattr("sys.argv", ["/somewhere/evaluate.py", "--images", "my digits"])
    report.set_content(html.render("base.html.j2"))
    text = report.locator("footer").inner_text()
    assert f"{datetime.now(UTC):%Y-%m-%d}" in text
    assert "evaluate.py --images 'my digits'" in text
    assert f"onnxruntime {onnxruntime.__version__}" in text
