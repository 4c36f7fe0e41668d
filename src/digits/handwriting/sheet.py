"""A sheet of paper to collect handwriting on: drawn for the printer, and read from a photo or a scan."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from digits import files, preprocess

# Width and height in millimetres, and the number of the first of four corner marks, which identifies the paper.
PAPERS = {"a4": (210.0, 297.0, 0), "letter": (215.9, 279.4, 4)}
COLUMNS = 10
DPI = 300
# Photos are reduced to this size: a box has about 100 pixels if the page fills most of the picture.
PHOTO_SIDE = 2000

# Millimetres. Printers can't print on the outer 8; a mark has 6×6 cells and is half an inch wide.
MARGIN, MARK, LABEL_WIDTH, ROW_GAP = 10.0, 12.7, 10.0, 4.0
LINE_LEVEL, LINE_DOTS = 170, 3
# Millimetres cut off inside the lines of a box, and how far a box may be displaced on paper that isn't flat.
INSET, LARGEST_BEND = 0.8, 4.0
# Pixels per millimetre of the rectified page, and of the smaller copy from which the paper's brightness is estimated.
FINE, COARSE = 8, 4
# With fewer pixels per millimetre, digits are smaller than MNIST's.
LEAST_RESOLUTION = 2.5
# Millimetres: wider than a marker pen's stroke, narrower than most shadows.
PAPER_WINDOW = 9.0
# Millimetres, wider than a box; and the brightness of the deepest shadow relative to its surroundings.
BLOT_WINDOW, DEEPEST_SHADOW = 25.0, 0.35
# Shares of the paper's brightness that are missing: less than these is paper, or faint ink; lines have about the last.
LEAST_INK, FAINT_INK, LINE_INK = 0.1, 0.22, 0.25
# Grey level of the paper in pictures of boxes: below white, so that noise isn't clipped.
PAPER_LEVEL = 240
# Millimetres: shorter ink is a speck, or very little ink; and a share of a box larger than any digit's.
SPECK, LITTLE, LARGEST_SHARE = 1.0, 2.5, 0.45

TITLE = "My handwriting, 0 to 9"
INSTRUCTIONS = (
    "Write the digit of each row once in every box, as you usually do, with a dark pen.",
    "Don't touch the lines. Boxes may stay empty; black out mistakes.",
    "Photograph or scan the whole page with its four corner marks: flat, sharp and evenly lit. Then run",
    "python src/collect_digits.py PHOTO.jpg, or upload the picture in the app, under My handwriting.",
)


State = Literal["filled", "empty", "doubtful"]


@dataclass(frozen=True)
class Box:
    """One box of a sheet.

    Attributes:
        digit: the digit of its row, which should be written in it.
        column: 0 to 9.
        picture: the inside of the box, uint8 (height, width), dark on light, without shadows.
        state: "filled" with a digit, "empty", or "doubtful" if a person should look at it.
        reason: why it is doubtful, in a few words; otherwise empty.
    """

    digit: int
    column: int
    picture: np.ndarray
    state: State
    reason: str = ""


def draw(paper: str) -> np.ndarray:
    """The page to print, uint8 (height, width), at 300 dots per inch.

    Args:
        paper: "a4" or "letter".

    Raises:
        ValueError: there is no such paper.
    """
    if paper not in PAPERS:
        raise ValueError(f"expected {' or '.join(PAPERS)} paper, got {paper!r}")
    width, height, _ = PAPERS[paper]
    page = np.full((_dots(height), _dots(width)), 255, np.uint8)
    for number, corners in _marks(paper).items():
        left, top = map(_dots, corners[0])
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
    """Write the page as `digits_sheet_PAPER.pdf` and `.png`, atomically, and return their paths.

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
    """Read the boxes of a sheet, row by row, from a photo or scan in any orientation, uint8 (height, width).

    Raises:
        ValueError: fewer than three corner marks are found, their positions don't fit the sheet, or it is too small.
    """
    paper, to_photo, complete = _locate(grey)
    size = tuple(round(side * FINE) for side in PAPERS[paper][:2])
    scale = np.diag([1 / FINE, 1 / FINE, 1])
    page = cv2.warpPerspective(
        grey, to_photo @ scale, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
    )
    level = _paper_level(page)
    boxes = _displaced(_boxes(paper), 1 - page / level, complete)
    page = np.clip(page * (PAPER_LEVEL / level), 0, 255).round().astype(np.uint8)
    width, height = (round(side * FINE) for side in np.ptp(_boxes(paper)[0], axis=0) - 2 * INSET)
    cut = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    read = []
    for number, corners in enumerate((boxes + INSET * np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)])) * FINE):
        to_cut = cv2.getPerspectiveTransform(corners.astype(np.float32), cut)
        picture = cv2.warpPerspective(page, to_cut, (width, height), borderMode=cv2.BORDER_REPLICATE)
        read.append(Box(number // COLUMNS, number % COLUMNS, picture, *_state(picture)))
    return read


def _dots(length: float) -> int:
    """A length in millimetres, in dots of the printed page."""
    return round(length / 25.4 * DPI)


def _dictionary() -> cv2.aruco.Dictionary:
    return cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_4X4_50)


def _marks(paper: str) -> dict[int, np.ndarray]:
    """The corner marks by number, each with its corners in millimetres, clockwise from the top left, (4, 2)."""
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
    """The paper, the homography (3, 3) from its millimetres to the photo's pixels, and whether all marks were found."""
    parameters = cv2.aruco.DetectorParameters()
    parameters.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_SUBPIX
    small = preprocess.at_working_size(grey, PHOTO_SIDE)
    squares, numbers, _ = cv2.aruco.ArucoDetector(_dictionary(), parameters).detectMarkers(small)
    numbers = [] if numbers is None else [int(number) for number in numbers.ravel()]
    # Anything much smaller than the largest mark is handwriting or a pattern that happens to look like one.
    least = max(map(cv2.contourArea, squares), default=0) / 10
    found: dict[int, list[np.ndarray]] = {}
    for number, (square,) in zip(numbers, squares, strict=True):
        if cv2.contourArea(square) >= least:
            found.setdefault(number, []).append(square * (grey.shape[1] / small.shape[1]))
    seen = {paper: [number for number in _marks(paper) if number in found] for paper in PAPERS}
    paper = max(seen, key=lambda name: len(seen[name]))
    if len(seen[paper]) < 3:
        raise ValueError(
            f"found {len(seen[paper])} of the sheet's 4 corner marks: take a picture of the whole page, "
            "flat, sharp and evenly lit, with nothing on its corners"
        )
    if any(len(found[number]) > 1 for number in seen[paper]) or min(map(len, seen.values())) > 2:
        raise ValueError("found the corner marks of more than one sheet: take a picture of each")
    marks = _marks(paper)
    on_paper = np.concatenate([marks[number] for number in seen[paper]])
    in_photo = np.concatenate([found[number][0] for number in seen[paper]])
    # From the photo to paper first, so that the RANSAC threshold is in millimetres.
    to_paper, fits = cv2.findHomography(in_photo, on_paper, cv2.RANSAC, 1.5)
    if to_paper is None or fits.sum() < 0.9 * len(fits):
        raise ValueError("the positions of the corner marks don't fit a flat sheet: flatten it, or scan it")
    to_photo, _ = cv2.findHomography(on_paper[fits.ravel() > 0], in_photo[fits.ravel() > 0])
    width, height, _ = PAPERS[paper]
    outline = np.array([[(0, 0), (width, 0), (width, height), (0, height)]])
    area = cv2.contourArea(cv2.perspectiveTransform(outline, to_photo).astype(np.float32))
    resolution = np.sqrt(area / (width * height))
    if resolution < LEAST_RESOLUTION:
        raise ValueError(
            f"the sheet is too small in the picture: {resolution:.1f} pixels per millimetre, "
            f"at least {LEAST_RESOLUTION} are needed; go closer, or scan it at 150 dots per inch or more"
        )
    return paper, to_photo, len(seen[paper]) == len(marks)


def _paper_level(page: np.ndarray) -> np.ndarray:
    """The brightness of the paper under the ink, with its shadows, float32 (height, width), at least 1."""
    smooth = cv2.GaussianBlur(page, (0, 0), 0.25 * FINE)
    small = cv2.resize(smooth, None, fx=COARSE / FINE, fy=COARSE / FINE, interpolation=cv2.INTER_AREA)
    window = round(PAPER_WINDOW * COARSE) | 1
    # A round window follows the edge of a shadow in any direction.
    small = cv2.morphologyEx(small, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (window, window)))
    # A blacked-out box is wider than the window, but darker than any shadow.
    wide = cv2.morphologyEx(small, cv2.MORPH_CLOSE, np.ones((round(BLOT_WINDOW * COARSE) | 1,) * 2, np.uint8))
    level = np.maximum(small, DEEPEST_SHADOW * wide.astype(np.float32))
    return np.maximum(cv2.resize(level, page.shape[::-1], interpolation=cv2.INTER_LINEAR), 1)


def _displaced(boxes: np.ndarray, ink: np.ndarray, complete: bool) -> np.ndarray:
    """The corners of the boxes on the rectified page, (boxes, 4, 2) in millimetres; paper is seldom flat.

    Args:
        boxes: their corners on flat paper, (boxes, 4, 2) in millimetres.
        ink: the share of the paper's brightness that is missing, float (height, width).
        complete: whether all marks were found; then the paper is taken as flat if the lines are too pale to be found.
    """
    # Clipped to the level of the lines, so that handwriting doesn't outweigh them.
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
        raise ValueError("found 3 of the sheet's 4 corner marks and no boxes: take a picture with all four marks")
    # A polynomial over the page, so that no handwriting displaces its box; of degree four, to follow a wave.
    middles = boxes.mean(axis=1)
    powers = [(i, j) for i in range(5) for j in range(5 - i)]
    at_middles, at_corners = (
        np.stack([x**i * y**j for i, j in powers], axis=-1)
        for x, y in (np.moveaxis(2 * points / middles.max(axis=0) - 1, -1, 0) for points in (middles, boxes))
    )
    used = seen
    for _ in range(4):
        factors = np.linalg.lstsq(at_middles[used], shifts[used], rcond=None)[0]
        distances = np.abs(shifts - at_middles @ factors).max(axis=1)
        used = seen & (distances <= max(0.3, 2.5 * float(np.median(distances[seen]))))
    return boxes + at_corners @ factors


def _state(picture: np.ndarray) -> tuple[State, str]:
    """The state of a box, and why it is doubtful."""
    smooth = cv2.GaussianBlur(picture, (0, 0), 0.1 * FINE).astype(np.float32)
    # Most of a box is paper, unless it is blacked out.
    amount = 1 - smooth / max(float(np.median(smooth)), 0.8 * PAPER_LEVEL)
    # Only changes within a millimetre, so that neither ink nor shadows count.
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
    # At least half as dark, because the soft edge of a stroke nearby is harmless.
    is_stroke = ink & (amount > darkest / 2)
    if is_stroke[[0, -1]].any() or is_stroke[:, [0, -1]].any():
        return "doubtful", "crosses the box's edge"
    if max(cv2.boundingRect(ink.astype(np.uint8))[2:]) < LITTLE * FINE:
        return "doubtful", "very little ink"
    if darkest < FAINT_INK:
        return "doubtful", "very faint ink"
    if ink.mean() > LARGEST_SHARE:
        return "doubtful", "more ink than a digit has"
    return "filled", ""
