"""A report on paper and in the dark: no column is lost, nothing stays closed, and it says how it was made."""

import re
from datetime import UTC, datetime

import numpy as np
import onnxruntime
import pytest

from digits.reporting import html, tables
from digits.reporting.tables import Table

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
        html.render("base.html.j2", seeds="none", hashes={}).replace(
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
    report.set_content(html.render("base.html.j2", seeds="none", hashes={}))
    text = report.locator("footer").inner_text()
    assert f"{datetime.now(UTC):%Y-%m-%d}" in text
    assert "evaluate.py --images 'my digits'" in text
    assert f"onnxruntime {onnxruntime.__version__}" in text


@pytest.fixture
def table(browser):
    """A report with a table of four rows and misread digits."""
    accuracies = [tables.percent(share) for share in (0.25, 0.999, 0.0301)]
    columns = [("model", ["net 10", "forest", "net 9", "none"]), ("accuracy", [*accuracies, None])]
    misread = [{"label": label, "answer": 0, "note": "", "source": ""} for label in (4, 9, 4)]
    environment = html.environment()
    source = '{% from "parts.html.j2" import table, misread %}{{ table(one) }}{{ misread(digits) }}'
    parts = environment.from_string(source).render(one=Table("t", "Models.", columns), digits=misread)
    page = browser.new_page()
    page.set_content(html.render("base.html.j2", seeds="none", hashes={}).replace("<footer>", parts + "<footer>"))
    yield page
    page.close()


def rows(page) -> list[str]:
    return page.locator("tbody th").all_inner_texts()


def test_a_header_sorts_its_table_by_click_and_by_key(table):
    model, accuracy = table.locator("thead th").all()
    assert rows(table) == ["net 10", "forest", "net 9", "none"]
    accuracy.get_by_role("button").click()
    assert accuracy.get_attribute("aria-sort") == "ascending"
    assert rows(table) == ["net 9", "net 10", "forest", "none"]
    # What has no value is last in both directions.
    table.keyboard.press("Enter")
    assert accuracy.get_attribute("aria-sort") == "descending"
    assert rows(table) == ["forest", "net 10", "net 9", "none"]
    table.keyboard.press("Shift+Tab")
    table.keyboard.press("Space")
    assert rows(table) == ["forest", "net 9", "net 10", "none"]
    assert [each.get_attribute("aria-sort") for each in (model, accuracy)] == ["ascending", None]


def test_misread_digits_are_filtered_by_true_digit(table):
    shown = table.locator("figure:visible figcaption")
    choice = table.get_by_label("True digit")
    assert shown.count() == 3
    choice.select_option(label="4 (2)")
    assert [text.strip() for text in shown.all_inner_texts()] == ["4 as 0", "4 as 0"]
    choice.select_option(label="all 3")
    assert shown.count() == 3


def test_what_can_be_downloaded_is_named(table):
    with table.expect_download() as begun:
        table.get_by_role("link", name="CSV").click()
    assert begun.value.suggested_filename == "t.csv"
    assert begun.value.path().read_text().split() == [
        "model,accuracy",
        "net",
        "10,0.25",
        "forest,0.999",
        "net",
        "9,0.0301",
        "none,",
    ]


def test_a_slider_shows_one_picture_at_a_time(browser):
    page = browser.new_page()
    page.set_content(html.slider("degrees", np.zeros((3, 28, 28), np.uint8), ["0°", "5° <b>", "10°"]))
    shown = page.locator("figure:visible")
    assert shown.all_inner_texts() == ["0°"]
    page.get_by_label("degrees").press("ArrowRight")
    assert shown.all_inner_texts() == ["5° <b>"]
    page.get_by_label("degrees").fill("2")
    assert shown.all_inner_texts() == ["10°"]
    page.close()


def test_a_table_of_many_columns_fits_a_laptop_and_paper(browser):
    cells = [tables.number(value, interval=(value - 0.05, value)) for value in (0.5, -0.25)]
    columns = [
        ("method", ["Integrated gradients", "RISE"]),
        *((f"deletion to ink {each}", cells) for each in range(12)),
    ]
    source = '{% from "parts.html.j2" import table %}{{ table(one) }}'
    parts = html.environment().from_string(source).render(one=Table("t", "Methods.", columns))
    page = browser.new_page()
    page.set_content(html.render("base.html.j2", seeds="none", hashes={}).replace("<footer>", parts + "<footer>"))
    for media, width in (("screen", 1280), ("print", PAPER_WIDTH)):
        page.emulate_media(media=media)
        page.set_viewport_size({"width": width, "height": 900})
        box = page.locator("table").bounding_box()
        assert box["x"] + box["width"] <= width
    page.close()
