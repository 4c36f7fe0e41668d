"""Digits from paper, without a browser: sheets to print, and a filled one that is looked at and saved."""

import cv2
import numpy as np
import pytest
import streamlit as st

from digits import paths
from digits.handwriting import sheet
from panels import cache
from tests.app.apptest import Page, paths_in, png, words
from tests.handwriting.test_sheet import boxes_of, filled
from tests.support import digit_counts


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where the collection is for this test."""
    monkeypatch.setattr(paths, "MY_DIGITS", tmp_path / "mine")
    return tmp_path / "mine"


@pytest.fixture
def at(folder, monkeypatch) -> Page:
    return Page(monkeypatch).show("My handwriting")


@pytest.fixture(scope="module")
def scan(splits) -> bytes:
    """A scan of a sheet with an 8 in the third box of the 4s, a stroke over a line of a 0, and one empty box."""
    page, alone = filled("a4", splits.validation, np.random.default_rng(3), empty=0)
    boxes = boxes_of(sheet.draw("a4"))
    page[boxes[42]] = alone[87]
    page[boxes[99]] = 255
    y, x = (side.stop for side in boxes[0])
    cv2.line(page, (x - 80, y - 150), (x - 5, y - 100), 40, 8)
    return png(cv2.resize(page, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA), "JPEG")


def uploaded(at: Page, content: bytes, number: int = 0) -> Page:
    return at.upload(content, "scan.jpg", key=f"sheet {number}")


def test_sheets_to_print_can_be_downloaded(folder, monkeypatch):
    found = {}
    original = st.download_button

    def noted(label, content, name, kind, **more):
        found[name] = content, kind
        return original(label, content, name, kind, **more)

    monkeypatch.setattr(st, "download_button", noted)
    Page(monkeypatch).show("My handwriting")
    assert list(found) == ["digits_sheet_a4.pdf", "digits_sheet_letter.pdf"]
    for content, kind in found.values():
        assert kind == "application/pdf"
        # One is drawn when somebody asks for it, and once.
        assert content().startswith(b"%PDF-")
        assert content() is content()
    assert found["digits_sheet_a4.pdf"][0]() != found["digits_sheet_letter.pdf"][0]()


def test_sheet_is_looked_at_and_then_saved(at, folder, scan):
    uploaded(at, scan)
    assert not at.errors
    headings = [words(each) for each in at.find_all("p", "heading")]
    assert "99 digits on this sheet, 2 doubtful" in headings
    rows = [words(row) for row in at.find("div", "sheet").findall("div")]
    assert rows == [f"{digit} {10 - (digit == 9)}" for digit in range(10)]
    doubts = [words(each) for each in at.find("div", "doubts").findall("figure")]
    assert doubts[0].startswith("0 in box 1: crosses the box's edge")
    assert doubts[1].startswith("4 in box 3: read as 8, ")
    assert len(at.find("div", "sheet").findall(".//span[@class='doubtful']")) == len(doubts) == 2
    assert not folder.exists()

    at.click("Save 97 digits")
    assert [each.value for each in at.app.success] == ["Saved 97 digits in my_digits/."]
    assert digit_counts(folder) == [9, 10, 10, 10, 9, 10, 10, 10, 10, 9]
    assert not at.find_all("div", "sheet")
    assert "97 digits in my_digits/" in [words(each) for each in at.find_all("p", "heading")]
    assert not at.run().app.success


def test_doubtful_digits_are_saved_on_demand_and_known_ones_once(at, folder, scan):
    uploaded(at, scan).click("Save 97 digits")
    uploaded(at, scan, number=1)
    at.app.checkbox(key="doubtful").check()
    at.run().click("Save 99 digits")
    assert [each.value for each in at.app.success] == ["Saved 2 digits in my_digits/; 97 were already there."]
    assert digit_counts(folder) == [10, 10, 10, 10, 10, 10, 10, 10, 10, 9]


def test_digits_that_the_collection_refuses_are_told(at, folder, scan):
    uploaded(at, scan).click("Save 97 digits")
    (first, *_) = sorted((folder / "3").iterdir())
    first.rename(folder / "5" / first.name)
    uploaded(at, scan, number=1).click("Save 97 digits")
    (sentence,) = [each for each in at.warnings if "Not saved" in each]
    assert "is already saved as a 5" in sentence


def test_empty_sheet_says_so(at):
    assert uploaded(at, png(sheet.draw("letter"))).warnings == ["All boxes on this sheet are empty."]
    assert not [each for each in at.app.button if each.label.startswith("Save")]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (png(np.full((900, 700), 200, np.uint8)), "found 0 of the sheet's 4 corner marks"),
        (b"not a picture", "not a valid PNG, JPEG, BMP, WEBP, TIFF, GIF, AVIF or PPM image"),
    ],
)
def test_picture_of_something_else_gets_a_sentence(at, folder, content, sentence):
    (error,) = uploaded(at, content).errors
    assert error.startswith(f"the picture: {sentence}")
    assert not paths_in(error)
    assert not folder.exists()


def test_public_page_takes_no_sheet(folder, monkeypatch):
    monkeypatch.setattr(cache, "IS_PUBLIC", True)
    at = Page(monkeypatch).show("My handwriting")
    assert not at.app.file_uploader
    assert not at.app.get("download_button")
