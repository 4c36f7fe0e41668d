"""A contact sheet: one picture of all digits that were found, for people to review before they are collected."""

import textwrap
from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from digits.handwriting import importing
from digits.handwriting.importing import Candidate

INK, GREY, RULE, PAPER = (27, 31, 36), (110, 118, 128), (218, 221, 225), (250, 250, 248)
GOOD, DOUBTFUL = (143, 170, 199), (203, 82, 0)
# Sizes in pixels: the sheet's width, the space above and left of the digits, a tile, a small one (used above this
# number of digits), a row without tiles, the gap between tiles, and a line of a caption.
WIDTH, HEADER, LABELS = 1520, 96, 90
TILE, SMALL_TILE, MANY, EMPTY, GAP, CAPTION = 128, 50, 600, 60, 14, 15


def draw(candidates: Sequence[Candidate], title: str) -> np.ndarray:
    """A picture for people of all candidates in rows by digit, the doubtful ones marked, uint8 RGB (height, width, 3).

    Every candidate has a digit.
    """
    tile = TILE if len(candidates) <= MANY else SMALL_TILE
    columns = (WIDTH - LABELS) // (tile + GAP)
    lines = []
    for digit in range(10):
        group = [candidate for candidate in candidates if candidate.digit == digit]
        lines += [(digit, len(group), group[:columns])]
        lines += [(None, 0, group[start : start + columns]) for start in range(columns, len(group), columns)]
    # A small tile has no room for words.
    captions = [[_caption(candidate) if tile == TILE else [] for candidate in line] for _, _, line in lines]
    heights = [
        (tile if line else EMPTY) + 2 * GAP + CAPTION * max(map(len, texts), default=0)
        for (_, _, line), texts in zip(lines, captions, strict=True)
    ]
    page = Image.new("RGB", (WIDTH, HEADER + sum(heights) + GAP), PAPER)
    pen = ImageDraw.Draw(page)
    _write_header(pen, candidates, title)
    top = HEADER
    for (digit, count, line), texts, height in zip(lines, captions, heights, strict=True):
        if digit is not None:
            pen.line([(GAP, top), (WIDTH - GAP, top)], RULE)
            pen.text((LABELS / 2, top + GAP), str(digit), INK, ImageFont.load_default(0.36 * TILE), "mt")
            pen.text((LABELS / 2, top + GAP + 0.4 * TILE), f"{count or 'none'}", GREY, _font(), "mt")
        for column, (candidate, text) in enumerate(zip(line, texts, strict=True)):
            left, upper = LABELS + column * (tile + GAP), top + GAP
            colour = DOUBTFUL if candidate.doubt else GOOD
            # The tile is as light as the digit's paper.
            paper = int(np.median(candidate.picture[:, [0, -1]]))
            pen.rectangle(
                [(left, upper), (left + tile - 1, upper + tile - 1)], (paper,) * 3, colour, 4 if candidate.doubt else 2
            )
            picture = _fitted(candidate.picture, tile - 12)
            page.paste(picture, (left + (tile - picture.width) // 2, upper + (tile - picture.height) // 2))
            for place, words in enumerate(text):
                pen.text((left, upper + tile + 4 + CAPTION * place), words, DOUBTFUL if place else INK, _font())
        top += height
    return np.asarray(page)


def _write_header(pen: ImageDraw.ImageDraw, candidates: Sequence[Candidate], title: str) -> None:
    doubtful = sum(bool(candidate.doubt) for candidate in candidates)
    pen.text((GAP, GAP + 4), textwrap.shorten(title, 90), INK, ImageFont.load_default(30))
    left = GAP
    for colour, text in (
        (GOOD, f"{importing.counted(len(candidates) - doubtful)} as labelled"),
        (DOUBTFUL, f"{doubtful} doubtful: saved only with --keep-doubtful"),
    ):
        pen.rectangle([(left, 62), (left + 18, 80)], "white", colour, 4)
        pen.text((left + 27, 71), text, INK, ImageFont.load_default(19), "lm")
        left += 60 + round(pen.textlength(text, ImageFont.load_default(19)))


def _caption(candidate: Candidate) -> list[str]:
    """Lines under a doubtful candidate: where it comes from, and why it is doubtful."""
    if not candidate.doubt:
        return []
    source = candidate.source if len(candidate.source) <= 19 else f"{candidate.source[:18]}…"
    return [source, *textwrap.wrap(candidate.doubt, 20)]


def _fitted(picture: np.ndarray, side: int) -> Image.Image:
    """A picture enlarged or reduced so that it just fits a square."""
    scale = side / max(picture.shape)
    size = tuple(max(1, round(length * scale)) for length in picture.shape[::-1])
    return Image.fromarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC))


def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(CAPTION - 2)
