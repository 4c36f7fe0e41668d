"""Several digits on one picture: real ones pasted side by side, so that their positions and their order are known."""

import contextlib
import io
import json

import cv2
import numpy as np
import pytest
from PIL import Image

from digits import preprocess
from digits.checkpoints import recognizer
from digits.preprocess.detection import find_digits, is_one_piece
from digits.recognition import batch
from digits.recognition.verdict import Verdict, judge
from tests.preprocess.test_preprocess import difference, growing_shade, squared_paper
from tests.support import assert_one_line_error

SIDE = 84


@pytest.fixture(scope="module")
def cnn() -> recognizer.Recognizer:
    return recognizer.load("mnist_cnn")


def pasted(images: np.ndarray, columns: int, pitch: int = SIDE) -> tuple[np.ndarray, list[tuple[int, int, int, int]]]:
    """Digits, 3 times as large, in rows as dark ink on light paper, uint8; and the boxes around their ink."""
    rows = -(-len(images) // columns)
    ink = np.zeros((rows * SIDE + 40, columns * pitch + SIDE - pitch + 40), np.uint8)
    boxes = []
    for place, image in enumerate(images):
        digit = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
        top, left = 20 + place // columns * SIDE, 20 + place % columns * pitch
        corner = ink[top : top + SIDE, left : left + SIDE]
        np.maximum(corner, digit, out=corner)
        x, y, width, height = cv2.boundingRect(without_specks(digit > 100))
        boxes.append((left + x, top + y, width, height))
    return (230 - 0.7 * ink).astype(np.uint8), boxes


def without_specks(is_ink: np.ndarray) -> np.ndarray:
    """A mask, uint8, without the specks that some of MNIST's digits have beside them."""
    mask = is_ink.astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
    return np.where(stats[labels, cv2.CC_STAT_AREA] > is_ink.sum() / 50, mask, 0)


def answers(cnn: recognizer.Recognizer, grey: np.ndarray) -> str:
    found = find_digits(grey)
    return batch.as_text(found, judge(cnn, np.stack([digit.prepared.image for digit in found])))


def written(labels: np.ndarray, columns: int) -> str:
    return "\n".join("".join(map(str, labels[start : start + columns])) for start in range(0, len(labels), columns))


@pytest.mark.parametrize("columns", [2, 5, 8])
def test_boxes_are_where_the_digits_were_pasted_in_reading_order(some_digits, columns):
    picture, boxes = pasted(some_digits.images[: 3 * columns], columns)
    found = find_digits(picture)
    assert [digit.row for digit in found] == [0] * columns + [1] * columns + [2] * columns
    np.testing.assert_allclose([digit.box for digit in found], boxes, atol=5)
    assert not any(digit.doubt for digit in found)


def test_boxes_are_in_pixels_of_the_original_picture(some_digits):
    picture, boxes = pasted(some_digits.images[:5], 5)
    enlarged = cv2.resize(picture, None, fx=5, fy=5, interpolation=cv2.INTER_CUBIC)
    assert enlarged.shape[1] > 2000
    np.testing.assert_allclose([digit.box for digit in find_digits(enlarged)], 5 * np.array(boxes), atol=25)


def test_most_numbers_are_read_as_they_were_written(cnn, some_digits):
    right = 0
    for start in range(0, 200, 5):
        picture, _ = pasted(some_digits.images[start : start + 5], 5, pitch=70)
        right += answers(cnn, picture) == written(some_digits.labels[start : start + 5], 5)
    assert right >= 36


def test_small_digits_on_a_large_page_are_cut_from_all_of_its_pixels(cnn, some_digits):
    page = np.full((3000, 4000), 230, np.uint8)
    for place, image in enumerate(some_digits.images[5:12]):
        digit = cv2.resize(image, (60, 60), interpolation=cv2.INTER_CUBIC)
        page[1500:1560, 1000 + 110 * place : 1060 + 110 * place] -= (0.7 * digit).astype(np.uint8)
    assert answers(cnn, page) == written(some_digits.labels[5:12], 7)


def half_in_shadow(page: np.ndarray) -> np.ndarray:
    rows, columns = np.indices(page.shape)
    return page * np.where(rows / len(page) + columns / page.shape[1] > 1.1, 0.5, 1)


def grain(page: np.ndarray) -> np.ndarray:
    return page + np.random.default_rng(0).normal(0, 12, page.shape)


@pytest.mark.parametrize("damage", [growing_shade, squared_paper, half_in_shadow, grain, lambda page: 255 - page])
def test_paper_changes_neither_the_digits_nor_their_order(cnn, some_digits, damage):
    picture, _ = pasted(some_digits.images[:12], 4)
    damaged = np.clip(damage(picture.astype(float)), 0, 255).astype(np.uint8)
    assert answers(cnn, damaged) == answers(cnn, picture) == written(some_digits.labels[:12], 4)


def ruled(page: np.ndarray, slope: float = 0.01) -> np.ndarray:
    """A page with a printed line every 70 pixels, paler than ink."""
    rows, columns = np.indices(page.shape)
    return page * np.where((rows + slope * columns) % 70 < 3, 0.8, 1)


def squared(page: np.ndarray) -> np.ndarray:
    return ruled(ruled(page).T, slope=-0.01).T


def unevenly_lit(page: np.ndarray) -> np.ndarray:
    return page * np.linspace(1, 0.6, page.shape[1])


LARGE_PAPERS = {
    "white": lambda page: page,
    "unevenly lit": unevenly_lit,
    "black": lambda page: 255 - page,
    "ruled": ruled,
    "squared": squared,
}


def large_page(strokes: np.ndarray, paper) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, 2, strokes.shape)
    return np.clip(paper(230.0 - strokes) + noise, 0, 255).astype(np.uint8)


# Of thin digits on squared paper, pieces between the lines may be missing.
@pytest.mark.parametrize("paper", list(LARGE_PAPERS)[:-1])
def test_thin_pale_digits_of_all_sizes_are_found_on_a_large_page(paper):
    places = {(400, 300): 20, (2500, 410): 110, (1500, 1200): 30, (700, 1900): 60}
    strokes = np.zeros((2250, 3000), np.uint8)
    for centre, radius in places.items():
        cv2.circle(strokes, centre, radius, 80, 2, cv2.LINE_AA)
    found = find_digits(large_page(strokes, LARGE_PAPERS[paper]))
    assert [digit.is_digit for digit in found] == [True] * len(places)
    boxes = [(x - radius, y - radius, 2 * radius, 2 * radius) for (x, y), radius in places.items()]
    np.testing.assert_allclose(sorted(digit.box for digit in found), sorted(boxes), atol=20)


def test_dust_on_a_large_page_is_no_digit():
    strokes, rng = np.zeros((2250, 3000), np.uint8), np.random.default_rng(0)
    cv2.circle(strokes, (1500, 1200), 60, 80, 3, cv2.LINE_AA)
    for x, y, radius in rng.integers((100, 100, 2), (1300, 2100, 8), (15, 3)).tolist():
        cv2.circle(strokes, (x, y), radius, 120, -1, cv2.LINE_AA)
    (ring,) = find_digits(large_page(strokes, LARGE_PAPERS["white"]))
    np.testing.assert_allclose(ring.box, (1440, 1140, 120, 120), atol=20)


@pytest.mark.parametrize("paper", LARGE_PAPERS)
def test_nothing_is_found_on_a_large_empty_page(paper):
    with pytest.raises(ValueError, match="on it"):
        find_digits(large_page(np.zeros((2250, 3000), np.uint8), LARGE_PAPERS[paper]))


@pytest.mark.parametrize("damage", [growing_shade, squared_paper, half_in_shadow, grain])
def test_thick_digits_on_a_large_picture_are_those_on_a_small_one(some_digits, damage):
    picture, _ = pasted(some_digits.images[:12], 4)
    damaged = np.clip(damage(picture.astype(float)), 0, 255).astype(np.uint8)
    large = find_digits(cv2.resize(damaged, None, fx=5, fy=5, interpolation=cv2.INTER_CUBIC))
    expected = [5 * np.array(digit.box) for digit in find_digits(damaged)]
    np.testing.assert_allclose([digit.box for digit in large], expected, atol=30)


def test_rows_may_slope(cnn, some_digits):
    picture, _ = pasted(some_digits.images[16:32], 8)
    height, width = picture.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), 5, 1)
    turned = cv2.warpAffine(picture, turn, (width, height + 60), borderValue=230)
    assert answers(cnn, turned) == written(some_digits.labels[16:32], 8)


def test_single_digits_are_prepared_as_by_prepare(some_digits):
    """`prepare` is the oracle; of several digits, a bar that is far from a 5 is a minus."""
    changes = []
    for image in some_digits.images[:100]:
        picture = 255 - cv2.resize(image, (280, 280), interpolation=cv2.INTER_CUBIC)
        (found,) = find_digits(picture)
        changes.append(difference(found.prepared.image, preprocess.prepare(picture).image))
        assert found.row == 0
    assert np.mean(np.array(changes) < 1) >= 0.99


def test_one_piece_is_never_several_digits(some_digits):
    pictures = [255 - cv2.resize(image, (280, 280), interpolation=cv2.INTER_CUBIC) for image in some_digits.images[:60]]
    pieces = [picture for picture in pictures if is_one_piece(picture)]
    assert len(pieces) > 40
    assert all(len(find_digits(picture)) == 1 for picture in pieces)
    numbers = [pasted(some_digits.images[start : start + 3], 3)[0] for start in range(0, 60, 3)]
    in_shadow = [half_in_shadow(picture.astype(float)).astype(np.uint8) for picture in numbers]
    assert not any(map(is_one_piece, (*numbers, *(255 - picture for picture in numbers), *in_shadow)))


def test_a_bar_that_does_not_touch_belongs_to_its_digit_and_not_to_the_next_one():
    page = np.full((280, 520), 255, np.uint8)
    cv2.ellipse(page, (120, 180), (45, 45), 0, -120, 130, 0, 8, cv2.LINE_AA)
    cv2.line(page, (95, 140), (100, 70), 0, 8, cv2.LINE_AA)
    cv2.line(page, (120, 60), (170, 55), 0, 8, cv2.LINE_AA)
    for x in (220, 300, 380):
        cv2.line(page, (x, 55), (x, 225), 0, 8, cv2.LINE_AA)
    first, *others = find_digits(page)
    assert len(others) == 3
    assert first.box[0] + first.box[2] == pytest.approx(174, abs=3)
    assert first.box[1] == pytest.approx(51, abs=3)


def test_specks_and_lines_are_ignored(some_digits):
    picture, boxes = pasted(some_digits.images[:5], 5)
    for place in ((15, 100), (200, 12), (400, 115)):
        cv2.circle(picture, place, 3, 40, -1)
    cv2.line(picture, (30, 108), (300, 110), 40, 3)
    np.testing.assert_allclose([digit.box for digit in find_digits(picture)], boxes, atol=5)


def test_touching_digits_are_cut_apart_and_marked_as_doubtful():
    """Two rings that a short stroke joins between two others."""
    page = np.full((160, 520), 255, np.uint8)
    for x in (70, 180, 280, 410):
        cv2.ellipse(page, (x, 80), (40, 50), 0, 0, 360, 0, 10, cv2.LINE_AA)
    cv2.line(page, (220, 80), (240, 80), 0, 10)
    found = find_digits(page)
    assert [digit.box[0] + digit.box[2] / 2 for digit in found] == pytest.approx([70, 180, 280, 410], abs=8)
    assert ["cut apart" in digit.doubt for digit in found] == [False, True, True, False]


def test_what_may_be_two_digits_is_doubtful():
    page = np.full((160, 260), 255, np.uint8)
    for x in (80, 174):
        cv2.ellipse(page, (x, 80), (40, 50), 0, 0, 360, 0, 14, cv2.LINE_AA)
    (found,) = find_digits(page)
    assert found.doubt == "perhaps two digits that touch"


def test_odd_sizes_are_doubtful():
    page = np.full((300, 500), 255, np.uint8)
    for x, half in ((60, 40), (150, 40), (240, 15), (330, 40), (430, 100)):
        cv2.ellipse(page, (x, 150), (max(12, half // 2), half), 0, 0, 360, 0, 8, cv2.LINE_AA)
    doubts = [digit.doubt for digit in find_digits(page)]
    assert doubts == ["", "", "much smaller than the others", "", "much larger than the others"]


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (np.full((200, 300), 255, np.uint8), "nothing is drawn"),
        (np.random.default_rng(0).integers(0, 256, (280, 280), dtype=np.uint8), "no digits on it"),
        (np.random.default_rng(0).integers(0, 256, (500, 900), dtype=np.uint8), "no digits on it"),
        (np.where(np.random.default_rng(0).random((300, 300)) < 0.003, 0, 255).astype(np.uint8), "no digits on it"),
        (np.repeat(np.where(np.arange(200) % 40 < 4, 0, 255), 300).reshape(200, 300).astype(np.uint8), "on it"),
    ],
    ids=["blank", "noise", "large noise", "specks", "lines"],
)
def test_pictures_without_digits_are_refused_with_a_reason(picture, words):
    with pytest.raises(ValueError, match=words):
        find_digits(picture)


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (2, 2), (3000, 40), (1, 3000), (3000, 1)])
def test_odd_shapes_are_read_or_refused_without_a_crash(shape):
    grey = np.full(shape, 255, np.uint8)
    grey[shape[0] // 2 :, shape[1] // 2 :] = 0
    with contextlib.suppress(ValueError):
        assert all(digit.prepared.image.shape == (28, 28) for digit in find_digits(grey))


def test_boxes_are_drawn_around_the_digits_and_answers_above(some_digits):
    picture, boxes = pasted(some_digits.images[:6], 3)
    found = find_digits(picture)
    marked = batch.mark_digits(picture, found, [Verdict(each) for each in np.eye(10)[some_digits.labels[:6]]])
    is_blue = (np.abs(marked.astype(int) - batch.BLUE) < 10).all(axis=2)
    scale = marked.shape[1] / picture.shape[1]
    room = len(marked) - round(len(picture) * scale)
    for left, top, width, height in (np.array(boxes) * scale).round().astype(int):
        edge = is_blue[room + top : room + top + height, left - 30 : left + 30].any(axis=1)
        assert edge.mean() > 0.95
        assert is_blue[room + top - 35 : room + top - 5, left : left + 15].mean() > 0.5
        assert not is_blue[room + top + 30 : room + top + height - 30, left + 30 : left + width - 30].any()


@pytest.mark.parametrize(
    ("verdict", "colour"),
    [
        (Verdict(np.eye(10)[3]), batch.BLUE),
        (Verdict(np.full(10, 0.1)), batch.ORANGE),
        (Verdict(np.eye(10)[3], is_familiar=False), batch.ORANGE),
    ],
    ids=["sure", "not sure", "looks like no digit"],
)
def test_boxes_show_whether_the_model_is_sure(verdict, colour, some_digits):
    picture, _ = pasted(some_digits.images[:2], 2)
    marked = batch.mark_digits(picture, find_digits(picture), [verdict] * 2).astype(int)
    for other in (batch.BLUE, batch.ORANGE):
        assert (np.abs(marked - other) < 10).all(axis=2).any() == (other == colour)


# From the shell


@pytest.fixture
def number(tmp_path, some_digits) -> str:
    """A photo of two rows of three."""
    Image.fromarray(pasted(some_digits.images[:6], 3)[0]).save(tmp_path / "number.png")
    return "number.png"


def test_predict_reads_numbers(run_script, tmp_path, number, some_digits):
    boxes = pasted(some_digits.images[:6], 3)[1]
    Image.fromarray(np.full((90, 90), 255, np.uint8)).save(tmp_path / "blank.png")
    process = run_script("predict", "--many", "--json", number, "blank.png", "--model", "mnist_cnn", check=False)
    assert process.returncode == 2
    line, blank = map(json.loads, process.stdout.splitlines())
    assert line["path"] == number
    assert line["number"] == written(some_digits.labels[:6], 3)
    np.testing.assert_allclose([digit["box"] for digit in line["digits"]], boxes, atol=5)
    assert [digit["row"] for digit in line["digits"]] == [0, 0, 0, 1, 1, 1]
    for digit, label in zip(line["digits"], some_digits.labels, strict=False):
        assert digit["prediction"] == np.argmax(digit["probabilities"]) == label
        assert digit["confidence"] == max(digit["probabilities"])
    assert blank == {"path": "blank.png", "error": "blank.png: nothing is drawn on it"}


def test_predict_says_and_draws_what_it_read(run_script, tmp_path, number, some_digits):
    process = run_script("predict", "--many", number, "--model", "mnist_cnn", "--save-plot", "marked.png")
    first, *lines = process.stdout.splitlines()
    assert first == f"number.png: {written(some_digits.labels[:6], 3)}".replace("\n", " ")
    assert [line.split()[0] for line in lines] == list(map(str, some_digits.labels[:6]))
    assert all("%" in line and "pixels at" in line for line in lines)
    with Image.open(tmp_path / "marked.png") as marked:
        assert marked.mode == "RGB"


def test_predict_explains_mistakes_of_numbers_in_one_line(run_script, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (280, 280), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "PNG")
    (tmp_path / "noise.png").write_bytes(file.getvalue())
    assert_one_line_error(run_script("predict", "--many", "noise.png", check=False), "noise.png: there are no digits")
