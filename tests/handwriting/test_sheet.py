"""Printed sheets filled with real digits, photographed as people do, and read back."""

import re

import cv2
import numpy as np
import pytest
from PIL import Image

from digits import preprocess
from digits.checkpoints import recognizer
from digits.handwriting import sheet
from tests.support import folder_bytes

MM = 300 / 25.4
# Mean absolute difference, in grey levels, of two prepared images that show the same writing.
SAME = 15


def boxes_of(page: np.ndarray) -> list[tuple[slice, slice]]:
    """Where the boxes of an empty page are, row by row: the white areas that its grey lines enclose."""
    _, _, stats, _ = cv2.connectedComponentsWithStats((page > 200).astype(np.uint8), connectivity=4)
    inside = [each for each in stats[1:].tolist() if 15 * MM < each[2] < 20 * MM and 15 * MM < each[3] < 25 * MM]
    inside.sort(key=lambda each: (round(each[1] / MM), each[0]))
    return [(slice(y, y + height), slice(x, x + width)) for x, y, width, height, _ in inside]


def handwriting(image: np.ndarray, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """A digit as it is written in a box of this shape, with a pen of its own, somewhere inside the lines."""
    side = round(rng.uniform(10, 18) * MM)
    ink = cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC) / 255
    # Its edges as sharp as a pen's.
    ink = np.clip(2.2 * (ink - 0.25), 0, 1)
    x, y, width, height = cv2.boundingRect((ink > 0.05).astype(np.uint8))
    margin = round(1.3 * MM)
    top = rng.integers(margin, shape[0] - margin - height)
    left = rng.integers(margin, shape[1] - margin - width)
    box = np.full(shape, 255.0)
    box[top : top + height, left : left + width] *= 1 - rng.uniform(0.55, 0.9) * ink[y : y + height, x : x + width]
    return box.round().astype(np.uint8)


def filled(paper: str, digits, rng: np.random.Generator, empty: int = 8) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    """A page with a digit of its row in all but some boxes; and each of those boxes by its number, as it was filled."""
    page, alone = sheet.draw(paper).copy(), {}
    left_out = rng.choice(100, empty, replace=False)
    for number, place in enumerate(boxes_of(page)):
        if number not in left_out:
            image = digits.images[rng.choice(np.flatnonzero(digits.labels == number // 10))]
            page[place] = alone[number] = handwriting(image, page[place].shape, rng)
    return page, alone


def photographed(
    page: np.ndarray,
    rng: np.random.Generator,
    turn: float,
    size: tuple[int, int] = (1500, 2000),
    bend: float = 1.5,
    shadow: float = 0.5,
    noise: float = 5,
) -> np.ndarray:
    """A photo of a page on a dark desk, in perspective, as uint8 (height, width).

    Args:
        turn: degrees.
        size: (width, height) of the photo.
        bend: millimetres by which the paper's middle is out of place.
        shadow: the share of the light that is left in a shadow with a straight edge.
        noise: standard deviation, grey levels.
    """
    height, width = page.shape
    outline = np.array([(-width, -height), (width, -height), (width, height), (-width, height)]) / 2
    cosine, sine = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    corners = outline @ np.array([[cosine, sine], [-sine, cosine]])
    corners *= 0.85 * min(size / np.ptp(corners, axis=0))
    corners += np.array(size) / 2 + rng.uniform(-0.05, 0.05, (4, 2)) * size
    to_page = cv2.getPerspectiveTransform(
        corners.astype(np.float32), (outline + np.array([width, height]) / 2).astype(np.float32)
    )
    across, down = np.meshgrid(np.arange(size[0], dtype=np.float32), np.arange(size[1], dtype=np.float32))
    x, y = np.moveaxis(cv2.perspectiveTransform(np.dstack([across, down]), to_page), 2, 0)
    x, y = (
        x + np.float32(bend * MM) * np.sin(np.float32(np.pi / height) * y) * (0.5 + 0.5 * x / width),
        y + np.float32(0.7 * bend * MM) * np.sin(np.float32(4 / width) * x),
    )
    photo = cv2.remap(cv2.GaussianBlur(page, (0, 0), 1.2), x, y, cv2.INTER_LINEAR, borderValue=80).astype(np.float32)

    angle = rng.uniform(0, 2 * np.pi, 2)
    towards = [
        (np.cos(each) * (across / size[0] - 0.5) + np.sin(each) * (down / size[1] - 0.5)).astype(np.float32)
        for each in angle
    ]
    light = 0.85 - 0.3 * towards[0]
    light *= 1 - (1 - shadow) / (1 + np.exp(-60 * towards[1]))
    photo = cv2.GaussianBlur(photo * light, (0, 0), 0.8)
    photo += noise * rng.standard_normal(photo.shape, np.float32)
    encoded = cv2.imencode(".jpg", np.clip(photo, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 70])[1]
    return preprocess.read_grey(encoded.tobytes(), sheet.PHOTO_SIDE)


def prepared(pictures) -> np.ndarray:
    return np.stack([preprocess.prepare(picture).image for picture in pictures])


def difference(a: np.ndarray, b: np.ndarray) -> float:
    """Mean absolute difference in grey levels, at the shift by at most a pixel at which it is least."""
    moved = (np.roll(a.astype(float), (down, right), (0, 1)) for down in (-1, 0, 1) for right in (-1, 0, 1))
    return min(float(np.abs(each - b).mean()) for each in moved)


def states(boxes: list[sheet.Box]) -> list[str]:
    assert [(box.digit, box.column) for box in boxes] == [divmod(number, 10) for number in range(100)]
    return [box.state for box in boxes]


@pytest.fixture(scope="module")
def page_and_alone(splits):
    return filled("a4", splits.validation, np.random.default_rng(1))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("paper", "photos"),
    [
        (
            "a4",
            (
                (2, {"size": (1800, 2400)}),
                (90, {"size": (2400, 1800), "noise": 9, "shadow": 0.4}),
                (-35, {"size": (2000, 2600)}),
            ),
        ),
        ("letter", ((176, {"bend": 3}), (-88, {"size": (2400, 1800)}), (20, {"size": (2000, 2600), "shadow": 0.3}))),
    ],
)
def test_digits_come_back_from_photos(paper, photos, splits):
    """Against what was written, box by box: at least 99 % recovered, at most 1 % damaged; nothing where nothing is."""
    rng = np.random.default_rng(len(paper))
    recogniser = recognizer.load("mnist_cnn")
    count, recovered, damaged = 0, 0, 0
    for turn, options in photos:
        page, alone = filled(paper, splits.validation, rng)
        boxes = sheet.read(photographed(page, rng, turn, **options))
        empty = {number for number, state in enumerate(states(boxes)) if state == "empty"}
        assert empty == set(range(100)) - alone.keys()
        whole = [number for number in alone if boxes[number].state == "filled"]
        came, wanted = prepared(boxes[number].picture for number in whole), prepared(alone[number] for number in whole)
        count, recovered = count + len(alone), recovered + len(whole)
        is_same = [difference(*pair) <= SAME for pair in zip(came, wanted, strict=True)]
        answers, chances = recogniser.predict_proba(came).argmax(1), recogniser.predict_proba(wanted)
        # Where the model hesitates between two digits, any noise decides.
        is_read = (answers == chances.argmax(1)) | (chances.max(1) < 0.9)
        damaged += np.sum(~(is_same & is_read))
        # The limit means something: another writing of the same digit is further away.
        assert np.median([difference(*pair) for pair in zip(came[1:], wanted, strict=False)]) > 1.5 * SAME
    assert recovered >= 0.99 * count
    assert damaged <= 0.01 * count


@pytest.mark.parametrize("quarter_turns", range(4))
def test_a_scan_may_lie_any_way_round(page_and_alone, quarter_turns):
    page, alone = page_and_alone
    boxes = sheet.read(np.rot90(page, quarter_turns).copy())
    assert states(boxes) == ["filled" if number in alone else "empty" for number in range(100)]
    for number in list(alone)[::10]:
        (image,), (wanted,) = prepared([boxes[number].picture]), prepared([alone[number]])
        assert difference(image, wanted) < SAME


def test_a_scan_without_grey_levels_is_read(page_and_alone):
    """As apps for documents save them, with the boxes' light lines gone."""
    page, alone = page_and_alone
    boxes = sheet.read(np.where(page < 150, 0, 255).astype(np.uint8))
    assert states(boxes) == ["filled" if number in alone else "empty" for number in range(100)]


def without_marks(page: np.ndarray, *corners: int) -> np.ndarray:
    """The page with something over some of its corners, 0 to 3 from the top left."""
    page = page.copy()
    for corner in corners:
        rows, columns = (slice(-280, None) if after else slice(280) for after in divmod(corner, 2))
        page[rows, columns] = 120
    return page


@pytest.mark.parametrize("corner", range(4))
def test_three_marks_are_enough(page_and_alone, rng, corner):
    page, alone = page_and_alone
    boxes = sheet.read(photographed(without_marks(page, corner), rng, turn=20))
    assert states(boxes) == ["filled" if number in alone else "empty" for number in range(100)]


def test_nothing_is_found_on_an_empty_sheet(rng):
    """Nor do the lines of the boxes remain: without noise there is nothing but paper in the pictures."""
    assert set(states(sheet.read(photographed(sheet.draw("letter"), rng, 60, shadow=0.25, noise=10)))) == {"empty"}
    clean = sheet.read(photographed(sheet.draw("a4"), rng, 185, size=(2400, 3200), bend=4, shadow=1, noise=0))
    assert all(box.picture.min() > 0.93 * np.median(box.picture) for box in clean)


def test_what_a_person_should_look_at_is_doubtful(rng):
    page = sheet.draw("a4").copy()
    boxes = boxes_of(page)

    def line(number: int, start: tuple, end: tuple, level: int, width: float) -> None:
        """A stroke between two points, (x, y) as shares of a box, its width in millimetres."""
        rows, columns = boxes[number]
        size = np.array([columns.stop - columns.start, rows.stop - rows.start])
        ends = [tuple((size * point + (columns.start, rows.start)).astype(int).tolist()) for point in (start, end)]
        cv2.line(page, *ends, level, round(width * MM))

    line(0, (0.5, 0.3), (0.6, 0.7), 40, 0.4)
    line(2, (0.5, 0.4), (1.2, 0.6), 40, 0.6)
    line(5, (0.5, 0.5), (0.5, 0.54), 40, 0.6)
    line(6, (0.5, 0.3), (0.5, 0.7), 215, 0.6)
    line(7, (0.5, 0.2), (0.5, 0.8), 40, 4)
    line(8, (0.5, 0.3), (0.5, 0.7), 40, 9)
    page[boxes[9]] = 30
    page[boxes[11]][30:-30, 30:-30] = 30
    cv2.circle(page, (boxes[12][1].start + 90, boxes[12][0].start + 90), 2, 0, -1)
    found = sheet.read(photographed(page, rng, turn=8, size=(2400, 3200)))
    expected = dict.fromkeys(range(100), ("empty", "")) | {
        0: ("filled", ""),
        2: ("doubtful", "crosses the box's edge"),
        3: ("doubtful", "crosses the box's edge"),
        5: ("doubtful", "very little ink"),
        6: ("doubtful", "very faint ink"),
        7: ("filled", ""),
        8: ("filled", ""),
        9: ("doubtful", "crosses the box's edge"),
        11: ("doubtful", "more ink than a digit has"),
    }
    assert {number: (box.state, box.reason) for number, box in enumerate(found)} == expected


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (
            lambda page: np.full((1200, 900), 230, np.uint8),
            "found 0 of the sheet's 4 corner marks: take a picture of the whole page",
        ),
        (lambda page: np.zeros((1, 1), np.uint8), "found 0 of"),
        (lambda page: np.random.default_rng(0).integers(0, 255, (900, 900), dtype=np.uint8), "found 0 of"),
        (lambda page: page[:, ::-1].copy(), "found 0 of"),
        (
            lambda page: without_marks(page, 0, 3),
            "found 2 of the sheet's 4 corner marks: take a picture of the whole page",
        ),
        (lambda page: page[:1700], "found 2 of"),
        (lambda page: np.hstack([page, page]), "more than one sheet"),
        (lambda page: np.vstack([sheet.draw("letter")[:, :2480], page]), "more than one sheet"),
        (lambda page: np.vstack([page[:1700], np.full((2500, 2480), 255, np.uint8), page[1700:]]), "don't fit a flat"),
        (
            lambda page: cv2.resize(page, None, fx=0.2, fy=0.2, interpolation=cv2.INTER_AREA),
            "2.4 pixels per millimetre",
        ),
    ],
)
def test_what_is_no_whole_sheet_is_an_error_in_words(page_and_alone, spoil, words):
    with pytest.raises(ValueError, match=words):
        sheet.read(spoil(page_and_alone[0]))


def test_three_marks_without_boxes_are_not_enough():
    page = without_marks(sheet.draw("a4"), 0)
    page[330:-330, 240:-100] = 255
    with pytest.raises(ValueError, match="found 3 of the sheet's 4 corner marks and no boxes"):
        sheet.read(page)


@pytest.mark.parametrize(("paper", "width", "height"), [("a4", 210, 297), ("letter", 215.9, 279.4)])
def test_the_page_is_what_a_printer_needs(paper, width, height):
    """Everything within the 8 mm that printers leave white, 100 boxes of the same size, as many as there are digits."""
    page = sheet.draw(paper)
    assert page.dtype == np.uint8
    np.testing.assert_allclose(page.shape, (height * MM, width * MM), atol=1)
    x, y, inked_width, inked_height = cv2.boundingRect((page < 255).astype(np.uint8))
    assert min(x, y, page.shape[1] - x - inked_width, page.shape[0] - y - inked_height) > 8 * MM
    sizes = [page[box].shape for box in boxes_of(page)]
    assert len(sizes) == 100
    assert np.ptp(sizes, axis=0).max() <= 2
    assert np.min(sizes) > 15 * MM


def test_pdf_and_png_have_the_size_of_the_paper(tmp_path):
    for paper, points in (("a4", (595.28, 841.89)), ("letter", (612, 792))):
        pdf, png = sheet.write(tmp_path / "new", paper)
        content = pdf.read_bytes()
        assert content.startswith(b"%PDF-")
        assert b"%%EOF" in content[-10:]
        (box,) = re.findall(rb"/MediaBox \[ ?0 0 ([\d.]+) ([\d.]+) ?\]", content)
        np.testing.assert_allclose([float(side) for side in box], points, atol=0.3)
        with Image.open(png) as picture:
            np.testing.assert_array_equal(np.asarray(picture), sheet.draw(paper))
            np.testing.assert_allclose(picture.info["dpi"], 300, atol=0.1)
    assert len(folder_bytes(tmp_path)) == 4


def test_what_cannot_be_written_is_an_error_in_words(tmp_path):
    with pytest.raises(ValueError, match="expected a4 or letter paper, got 'a5'"):
        sheet.write(tmp_path, "a5")
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="can't write to the output folder"):
        sheet.write(tmp_path / "file", "a4")
