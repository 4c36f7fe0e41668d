"""A sheet of paper for one's own handwriting: drawn for the printer, and read back from a photo or a scan."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from digits import files, preprocess

# Width and height in millimetres, and the number of the first of the four corner marks, which tells the paper.
PAPERS = {"a4": (210.0, 297.0, 0), "letter": (215.9, 279.4, 4)}
COLUMNS = 10
DPI = 300
# Photos are read no smaller than this: a box has about 100 pixels where the page takes up most of the picture.
PHOTO_SIDE = 2000

# In millimetres. Printers leave 8 at the edges white; a mark has 6×6 cells and is half an inch wide.
MARGIN, MARK, LABEL_WIDTH, ROW_GAP = 10.0, 12.7, 10.0, 4.0
LINE_LEVEL, LINE_DOTS = 170, 3
# What is cut off inside the lines of a box, and how far from its place a box is looked for on paper that isn't flat.
INSET, LARGEST_BEND = 0.8, 4.0
# Pixels a millimetre of the straightened page, and of the smaller one that tells how bright the paper is.
FINE, COARSE = 8, 4
# A photo with fewer pixels a millimetre shows digits smaller than MNIST's.
LEAST_RESOLUTION = 2.5
# Wider than a marker pen's stroke, narrower than most shadows, in millimetres.
PAPER_WINDOW = 9.0
# Wider than a box, in millimetres; and the share of the light around that is left in the deepest shadow.
BLOT_WINDOW, DEEPEST_SHADOW = 25.0, 0.35
# Shares of the paper's light: what takes less is paper, or very faint ink; lines take about the last.
LEAST_INK, FAINT_INK, LINE_INK = 0.1, 0.22, 0.25
# Grey level of the paper in the boxes' pictures: not white, so that noise isn't cut off.
PAPER_LEVEL = 240
# Millimetres: shorter ink is a speck, or very little; and the share of a box that no digit covers.
SPECK, LITTLE, LARGEST_SHARE = 1.0, 2.5, 0.45

TITLE = "My handwriting, 0 to 9"
INSTRUCTIONS = (
    "In each row, write its digit once in every box, as you usually do, with a dark pen.",
    "Keep off the lines. A box may stay empty; black out what went wrong.",
    "Photograph or scan the whole page with its four corner marks: flat, sharp, in even light. Then:",
    "python src/collect_digits.py PHOTO.jpg, or upload it in the app, in its panel My handwriting.",
)


State = Literal["filled", "empty", "doubtful"]


@dataclass(frozen=True)
class Box:
    """One box of a sheet.

    Attributes:
        digit: that of its row, which is what should be written in it.
        column: 0 to 9.
        picture: uint8 (height, width), what is inside its lines, dark on light, without shadows.
        state: whether there is a digit in it, nothing, or something that a person should look at.
        reason: why it is doubtful, in a few words; empty if it isn't.
    """

    digit: int
    column: int
    picture: np.ndarray
    state: State
    reason: str = ""


def draw(paper: str) -> np.ndarray:
    """The page to print, uint8 (height, width), 300 dots an inch.

    Args:
        paper: "a4" or "letter".

    Raises:
        ValueError: it is another.
    """
    if paper not in PAPERS:
        raise ValueError(f"expected {' or '.join(PAPERS)} paper, got {paper!r}")
    width, height, _ = PAPERS[paper]
    page = np.full((_dots(height), _dots(width)), 255, np.uint8)
    for number, corners in _marks(paper).items():
        left, top = (_dots(place) for place in corners[0])
        side = _dots(MARK)
        page[top : top + side, left : left + side] = cv2.aruco.generateImageMarker(_dictionary(), number, side)
    boxes = _boxes(paper)
    for start, _, end, _ in boxes:
        cv2.rectangle(page, tuple(map(_dots, start)), tuple(map(_dots, end)), LINE_LEVEL, LINE_DOTS)
    picture = Image.fromarray(page)
    pen = ImageDraw.Draw(picture)

    def write_line(x: float, y: float, text: str, size: float, level: int) -> None:
        pen.text((_dots(x), _dots(y)), text, level, ImageFont.load_default(_dots(size)), "mm")

    for digit in range(10):
        write_line(MARGIN + LABEL_WIDTH / 2 - 1, boxes[digit * COLUMNS].mean(axis=0)[1], str(digit), 9, 0)
    write_line(width / 2, MARGIN + 2.2, TITLE, 5, 0)
    bottom = height - MARGIN - MARK / 2
    for y, text in zip((MARGIN + 7.2, MARGIN + 11.3, bottom - 2, bottom + 2.1), INSTRUCTIONS, strict=True):
        write_line(width / 2, y, text, 3.2, 60)
    return np.asarray(picture)


def write(folder: Path, paper: str) -> list[Path]:
    """Write the page as `digits_sheet_PAPER.pdf` and `.png`, each all of it or nothing, and give their paths.

    Raises:
        ValueError: there is no such paper, or the folder can't be written to.
    """
    picture = Image.fromarray(draw(paper))
    written = []
    formats: dict[str, dict] = {".pdf": {"resolution": DPI, "title": TITLE, "quality": 95}, ".png": {"dpi": (DPI, DPI)}}
    for suffix, options in formats.items():
        path = files.output_folder(folder) / f"digits_sheet_{paper}{suffix}"
        with files.replacing(path) as temporary:
            picture.save(temporary, **options)
        written.append(path)
    return written


def read(grey: np.ndarray) -> list[Box]:
    """The boxes of a sheet, row by row, from a photo or scan of it, uint8 (height, width), turned any way.

    Raises:
        ValueError: fewer than three of the corner marks are found, they don't lie as on the sheet, or it is too small.
    """
    paper, to_photo, complete = _locate(grey)
    size = tuple(round(side * FINE) for side in PAPERS[paper][:2])
    scale = np.diag([1 / FINE, 1 / FINE, 1])
    page = cv2.warpPerspective(
        grey, to_photo @ scale, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
    )
    level = _paper_level(page)
    boxes = _bent(_boxes(paper), 1 - page / level, complete)
    page = np.clip(page * (PAPER_LEVEL / level), 0, 255).round().astype(np.uint8)
    width, height = (round(side * FINE) for side in np.ptp(_boxes(paper)[0], axis=0) - 2 * INSET)
    cut = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    read = []
    for number, corners in enumerate((boxes + INSET * np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)])) * FINE):
        to_cut = cv2.getPerspectiveTransform(corners.astype(np.float32), cut)
        picture = cv2.warpPerspective(page, to_cut, (width, height), borderMode=cv2.BORDER_REPLICATE)
        read.append(Box(number // COLUMNS, number % COLUMNS, picture, *_judged(picture)))
    return read


def _dots(length: float) -> int:
    """Millimetres to dots of the printed page."""
    return round(length / 25.4 * DPI)


def _dictionary() -> cv2.aruco.Dictionary:
    return cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_4X4_50)


def _marks(paper: str) -> dict[int, np.ndarray]:
    """The corner marks by their number, each with its corners in millimetres, clockwise from the top left, (4, 2)."""
    width, height, first = PAPERS[paper]
    right, bottom = width - MARGIN - MARK, height - MARGIN - MARK
    square = MARK * np.array([(0, 0), (1, 0), (1, 1), (0, 1)])
    corners = ((MARGIN, MARGIN), (right, MARGIN), (right, bottom), (MARGIN, bottom))
    return {first + number: np.array(corner) + square for number, corner in enumerate(corners)}


def _boxes(paper: str) -> np.ndarray:
    """The corners of the boxes in millimetres, row by row, each clockwise from the top left, (boxes, 4, 2)."""
    width, height, _ = PAPERS[paper]
    left, top = MARGIN + LABEL_WIDTH, MARGIN + MARK + 3.3
    pitch = np.array([(width - MARGIN - left) / COLUMNS, (height - 2 * top + ROW_GAP) / 10])
    square = (pitch - (0, ROW_GAP)) * np.array([(0, 0), (1, 0), (1, 1), (0, 1)])
    return np.array([(left, top) + pitch * (column, row) + square for row in range(10) for column in range(COLUMNS)])


def _locate(grey: np.ndarray) -> tuple[str, np.ndarray, bool]:
    """The paper, the homography (3, 3) from its millimetres to pixels of the photo, and whether it has all marks."""
    parameters = cv2.aruco.DetectorParameters()
    parameters.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_SUBPIX
    small = preprocess.at_working_size(grey, PHOTO_SIDE)
    squares, numbers, _ = cv2.aruco.ArucoDetector(_dictionary(), parameters).detectMarkers(small)
    numbers = [] if numbers is None else [int(number) for number in numbers.ravel()]
    # What is much smaller than the rest is handwriting or a pattern that happens to look like a mark.
    least = max(map(cv2.contourArea, squares), default=0) / 10
    found: dict[int, list[np.ndarray]] = {}
    for number, (square,) in zip(numbers, squares, strict=True):
        if cv2.contourArea(square) >= least:
            found.setdefault(number, []).append(square * (grey.shape[1] / small.shape[1]))
    seen = {paper: [number for number in _marks(paper) if number in found] for paper in PAPERS}
    paper = max(seen, key=lambda name: len(seen[name]))
    if len(seen[paper]) < 3:
        raise ValueError(
            f"found {len(seen[paper])} of the sheet's 4 corner marks: have the whole page in the picture, "
            "flat, sharp, in even light, with nothing over its corners"
        )
    if any(len(found[number]) > 1 for number in seen[paper]) or min(map(len, seen.values())) > 2:
        raise ValueError("found the corner marks of more than one sheet: have one in each picture")
    marks = _marks(paper)
    on_paper = np.concatenate([marks[number] for number in seen[paper]])
    in_photo = np.concatenate([found[number][0] for number in seen[paper]])
    # Backwards first, so that what fits is judged in millimetres.
    to_paper, fits = cv2.findHomography(in_photo, on_paper, cv2.RANSAC, 1.5)
    if to_paper is None or fits.sum() < 0.9 * len(fits):
        raise ValueError("the corner marks don't lie as on a flat sheet: flatten it, or scan it")
    to_photo, _ = cv2.findHomography(on_paper[fits.ravel() > 0], in_photo[fits.ravel() > 0])
    width, height, _ = PAPERS[paper]
    outline = np.array([[(0, 0), (width, 0), (width, height), (0, height)]])
    area = cv2.contourArea(cv2.perspectiveTransform(outline, to_photo).astype(np.float32))
    resolution = np.sqrt(area / (width * height))
    if resolution < LEAST_RESOLUTION:
        raise ValueError(
            f"the sheet is too small in the picture: {resolution:.1f} pixels a millimetre where at least "
            f"{LEAST_RESOLUTION} are needed; come closer, or scan it with 150 dots an inch or more"
        )
    return paper, to_photo, len(seen[paper]) == len(marks)


def _paper_level(page: np.ndarray) -> np.ndarray:
    """How bright the paper is under the ink, shadows included, float32 (height, width), at least 1."""
    smooth = cv2.GaussianBlur(page, (0, 0), 0.25 * FINE)
    small = cv2.resize(smooth, None, fx=COARSE / FINE, fy=COARSE / FINE, interpolation=cv2.INTER_AREA)
    window = round(PAPER_WINDOW * COARSE) | 1
    # A round window follows the edge of a shadow in any direction.
    small = cv2.morphologyEx(small, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (window, window)))
    # What is blacked out is wider than the window, but darker than any shadow.
    wide = cv2.morphologyEx(small, cv2.MORPH_CLOSE, np.ones((round(BLOT_WINDOW * COARSE) | 1,) * 2, np.uint8))
    level = np.maximum(small, DEEPEST_SHADOW * wide.astype(np.float32))
    return np.maximum(cv2.resize(level, page.shape[::-1], interpolation=cv2.INTER_LINEAR), 1)


def _bent(boxes: np.ndarray, ink: np.ndarray, complete: bool) -> np.ndarray:
    """Where the corners of the boxes lie on the straightened page, (boxes, 4, 2), because paper is seldom flat.

    Args:
        boxes: their corners on flat paper, in millimetres.
        ink: float (height, width), the share of the paper's light that is missing.
        complete: whether all marks were found, so that flat paper will do where the lines are too pale to be seen.
    """
    # As pale as the lines, so that handwriting doesn't outweigh them.
    pale = np.clip(ink, 0, LINE_INK / 2).astype(np.float32)
    reach = round(LARGEST_BEND * FINE)
    width, height = (round(side * FINE) for side in np.ptp(boxes[0], axis=0))
    ring = cv2.rectangle(np.zeros((height + 1, width + 1), np.float32), (0, 0), (width, height), 1)
    ring = cv2.GaussianBlur(ring, (0, 0), 1)
    shifts, contrasts = [], []
    for x, y in boxes[:, 0]:
        left, top = round(x * FINE) - reach, round(y * FINE) - reach
        around = pale[top : top + height + 1 + 2 * reach, left : left + width + 1 + 2 * reach]
        scores = cv2.matchTemplate(around, ring / ring.sum(), cv2.TM_CCORR)
        _, best, _, (across, down) = cv2.minMaxLoc(scores)
        shifts.append(((left + across) / FINE - x, (top + down) / FINE - y))
        contrasts.append(best - np.median(scores))
    shifts, seen = np.array(shifts), np.array(contrasts) > 0.02
    if seen.mean() < 0.5:
        if complete:
            return boxes
        raise ValueError("found 3 of the sheet's 4 corner marks and no boxes: have all four marks in the picture")
    # Smooth over the page, so that no writing pulls its box away; of fourth degree, as a wave is.
    middles = boxes.mean(axis=1)
    powers = [(i, j) for i in range(5) for j in range(5 - i)]
    at_middles, at_corners = (
        np.stack([x**i * y**j for i, j in powers], axis=-1)
        for x, y in (np.moveaxis(2 * places / middles.max(axis=0) - 1, -1, 0) for places in (middles, boxes))
    )
    used = seen
    for _ in range(4):
        factors = np.linalg.lstsq(at_middles[used], shifts[used], rcond=None)[0]
        distances = np.abs(shifts - at_middles @ factors).max(axis=1)
        used = seen & (distances <= max(0.3, 2.5 * float(np.median(distances[seen]))))
    return boxes + at_corners @ factors


def _judged(picture: np.ndarray) -> tuple[State, str]:
    """The state of a box with this picture, and why it is doubtful."""
    smooth = cv2.GaussianBlur(picture, (0, 0), 0.1 * FINE).astype(np.float32)
    # Most of a box is paper, unless it was blacked out.
    amount = 1 - smooth / max(float(np.median(smooth)), 0.8 * PAPER_LEVEL)
    # Of what changes within a millimetre, so that neither ink nor shadows count.
    noise = 1.4826 * float(np.median(np.abs(amount - cv2.GaussianBlur(amount, (0, 0), 0.5 * FINE))))
    mask = (amount > max(LEAST_INK, 6 * noise)).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    lengths = stats[:, cv2.CC_STAT_WIDTH : cv2.CC_STAT_HEIGHT + 1].max(axis=1) / FINE
    is_ink = lengths >= SPECK
    is_ink[0] = False
    ink = is_ink[labels]
    if not ink.any():
        return "empty", ""
    darkest = float(np.percentile(amount[ink], 90))
    # Half as dark, because the soft edge of a stroke nearby is harmless.
    is_stroke = ink & (amount > darkest / 2)
    if is_stroke[[0, -1]].any() or is_stroke[:, [0, -1]].any():
        return "doubtful", "runs over the box's edge"
    if max(cv2.boundingRect(ink.astype(np.uint8))[2:]) < LITTLE * FINE:
        return "doubtful", "very little ink"
    if darkest < FAINT_INK:
        return "doubtful", "very faint ink"
    if ink.mean() > LARGEST_SHARE:
        return "doubtful", "more ink than a digit has"
    return "filled", ""
