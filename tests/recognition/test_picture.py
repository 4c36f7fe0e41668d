"""Verdicts on pictures that don't show one upright digit: several, none, one on its side; and what is passed over."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from PIL import Image

import digits
from digits.checkpoints import recognizer
from digits.checkpoints.recognizer import Recognizer
from digits.preprocess.decoding import UNREADABLE
from digits.recognition import batch
from digits.recognition.picture import judge_looks, look_at
from digits.recognition.verdict import Verdict, judge
from tests.preprocess.test_segmentation import pasted
from tests.recognition.test_verdict import crossed_circle


@pytest.fixture(scope="module")
def cnn() -> Recognizer:
    return recognizer.load("mnist_cnn")


def drawn(image: np.ndarray) -> np.ndarray:
    return 255 - cv2.resize(image, (140, 140), interpolation=cv2.INTER_CUBIC)


def verdict_on(cnn: Recognizer, grey: np.ndarray) -> Verdict:
    ((_, verdict),) = judge_looks(cnn, [look_at(grey)])
    return verdict


def plus() -> np.ndarray:
    page = np.full((280, 280), 255, np.uint8)
    cv2.line(page, (140, 50), (140, 230), 0, 14, cv2.LINE_AA)
    return cv2.line(page, (50, 140), (230, 140), 0, 14, cv2.LINE_AA)


def minus() -> np.ndarray:
    return cv2.line(np.full((280, 280), 255, np.uint8), (50, 140), (230, 140), 0, 14, cv2.LINE_AA)


def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (280, 280), dtype=np.uint8)


def bar_chart() -> np.ndarray:
    page = np.full((300, 400), 255, np.uint8)
    cv2.line(page, (40, 20), (40, 260), 0, 3)
    cv2.line(page, (40, 260), (380, 260), 0, 3)
    for place, height in enumerate((60, 150, 90, 200, 120)):
        cv2.rectangle(page, (70 + 60 * place, 257 - height), (100 + 60 * place, 257), 90, -1)
    return page


def test_upright_digits_have_the_verdict_on_their_image(cnn, some_digits):
    """`judge` on what `prepare` makes of each is the oracle."""
    pictures = [drawn(image) for image in some_digits.images[:100]]
    judged = judge_looks(cnn, [look_at(picture) for picture in pictures])
    alone = judge(cnn, np.stack([digits.prepare(picture).image for picture in pictures]))
    assert [verdict.answer for _, verdict in judged] == [verdict.answer for verdict in alone]
    assert [verdict.state for _, verdict in judged] == [verdict.state for verdict in alone]
    assert [verdict.other_marks for _, verdict in judged] == [0] * 100


@pytest.mark.parametrize("count", [2, 3, 15])
def test_several_digits_are_counted_and_not_read_as_one(cnn, some_digits, count):
    picture, _ = pasted(some_digits.images[:count], 5)
    verdict = verdict_on(cnn, picture)
    assert verdict.digits_found == count
    assert (verdict.state, verdict.is_sure) == ("several digits", False)
    assert digits.predict(cnn, picture).state == "several digits"


@pytest.mark.parametrize("sign", ["-", "+", "=", "."])
def test_marks_beside_a_digit_are_said(cnn, some_digits, sign):
    pages = [
        cv2.copyMakeBorder(drawn(image), 0, 0, 60, 60, cv2.BORDER_CONSTANT, value=255)
        for image in some_digits.images[:20]
    ]
    strokes = {
        "-": [(5, 70, 55, 70)],
        "+": [(5, 70, 55, 70), (30, 45, 30, 95)],
        "=": [(5, 60, 55, 60), (5, 80, 55, 80)],
    }
    for page in pages:
        for left, top, right, bottom in strokes.get(sign, ()):
            cv2.line(page, (left, top), (right, bottom), 0, 8)
        if sign == ".":
            cv2.circle(page, (210, 115), 10, 0, -1)
    verdicts = [verdict for _, verdict in judge_looks(cnn, [look_at(page) for page in pages])]
    assert sum(verdict.other_marks > 0 for verdict in verdicts) >= 0.9 * len(pages)


@pytest.mark.parametrize("picture", [plus, minus, noise, bar_chart, crossed_circle])
def test_what_is_no_digit_is_never_sure(cnn, picture):
    for grey in (picture(), 255 - picture()):
        assert not verdict_on(cnn, grey).is_sure


def test_specks_look_like_no_digit_even_to_a_model_that_cannot_tell(some_digits):
    verdict = verdict_on(recognizer.load("mnist_mlp"), noise())
    assert verdict.state == "looks like no digit"


def test_digits_on_their_side_are_turned_or_doubted(cnn, some_digits):
    chosen = np.flatnonzero(np.isin(some_digits.labels, (2, 3, 4, 5)))[:60]
    turned = right = 0
    for index in chosen:
        for turn, direction in ((1, "clockwise"), (3, "counterclockwise")):
            sideways = np.ascontiguousarray(np.rot90(drawn(some_digits.images[index]), turn))
            ((prepared, verdict),) = judge_looks(cnn, [look_at(sideways)])
            if prepared.turn:
                turned += 1
                right += prepared.turn == direction and verdict.answer == some_digits.labels[index]
                assert "turned by 90°" in prepared.steps[0]
    assert turned > 50
    assert right >= 0.97 * turned


def cropped(image: np.ndarray) -> np.ndarray:
    """The digit, 16×16, without paper around it, as on envelopes."""
    x, y, width, height = cv2.boundingRect((image > 30).astype(np.uint8))
    return cv2.resize(image[y : y + height, x : x + width], (16, 16), interpolation=cv2.INTER_AREA)


def with_separate_bar(five: np.ndarray) -> np.ndarray:
    """A five whose top was moved up by a fifth of its height."""
    ink = cv2.resize(five, (280, 280), interpolation=cv2.INTER_CUBIC)
    _, y, _, height = cv2.boundingRect((ink > 80).astype(np.uint8))
    cut, gap = y + int(0.3 * height), height // 5
    page = np.zeros((320 + gap, 320), np.uint8)
    page[20 + gap + cut : 300 + gap, 20:300] = ink[cut:]
    page[20 : 20 + cut, 20:300] = np.maximum(page[20 : 20 + cut, 20:300], ink[:cut])
    return 255 - page


def test_tightly_cropped_digits_are_read_in_either_polarity(cnn, some_digits):
    # Ones fill the square, and nobody could tell them from paper.
    chosen = np.flatnonzero(some_digits.labels != 1)[:100]
    pictures = [cropped(image) for image in some_digits.images[chosen]]
    for shown in (pictures, [255 - picture for picture in pictures]):
        judged = judge_looks(cnn, [look_at(picture) for picture in shown])
        answers = np.array([verdict.answer for _, verdict in judged])
        assert np.mean(answers == some_digits.labels[chosen]) >= 0.97
        assert any(prepared.reading.startswith("read as") for prepared, _ in judged)


def test_separate_bar_of_a_five_is_read_with_it(cnn, some_digits):
    fives = some_digits.images[some_digits.labels == 5][:40]
    judged = judge_looks(cnn, [look_at(with_separate_bar(five)) for five in fives])
    likeliest = judge(cnn, np.stack([digits.prepare(with_separate_bar(five)).image for five in fives]))
    right, before = (sum(verdict.answer == 5 for verdict in each) for each in ([v for _, v in judged], likeliest))
    assert right >= 0.9 * len(fives) > before
    taken = [prepared for prepared, _ in judged if prepared.reading]
    assert all(prepared.steps[0].startswith(prepared.reading) for prepared in taken)
    assert len(taken) > 10


def test_plain_drawings_cost_one_pass_and_doubtful_ones_share_it(cnn, some_digits):
    judge(cnn, some_digits.images[:1])
    runs = []

    def function(ink: np.ndarray, outputs: tuple[str, ...]) -> list[np.ndarray]:
        runs.append(len(ink))
        return cnn.function(ink, outputs)

    counted = replace(cnn, function=function)
    looks = [look_at(drawn(image)) for image in some_digits.images[:50]]
    plain = [look for look in looks if len(look.readings) == 1]
    assert len(plain) >= 45
    familiar = [look for look in plain if judge_looks(cnn, [look])[0][1].is_familiar and not look.pieces]
    judge_looks(counted, familiar)
    assert runs == [len(familiar)]
    runs.clear()
    doubtful = look_at(cropped(some_digits.images[int(np.argmax(some_digits.labels == 0))]))
    judge_looks(counted, [doubtful])
    assert runs[0] == len(doubtful.readings) > 1


def test_model_that_cannot_rank_gets_the_likeliest_reading(some_digits):
    mlp = recognizer.load("mnist_mlp")
    look = look_at(cropped(some_digits.images[int(np.argmax(some_digits.labels == 0))]))
    ((prepared, _),) = judge_looks(mlp, [look])
    np.testing.assert_array_equal(prepared.image, look.readings[0].image)
    assert prepared.reading == ""


@pytest.mark.parametrize("turn", [0, 1, 2, 3])
def test_page_of_digits_is_turned_upright(cnn, some_digits, tmp_path, turn):
    """The same page, upright, is the oracle."""
    page, _ = pasted(some_digits.images[:12], 4)
    for place, grey in enumerate((page, np.rot90(page, turn))):
        Image.fromarray(grey).save(tmp_path / f"{place}.png")
    upright, turned = batch.read_numbers([tmp_path / "0.png", tmp_path / "1.png"], cnn)
    assert upright.turn == ""
    assert turned.turn == ("", "clockwise", "upside down", "counterclockwise")[turn]
    assert batch.as_text(turned.digits, turned.verdicts) == batch.as_text(upright.digits, upright.verdicts)
    np.testing.assert_array_equal(turned.picture, upright.picture)
    assert [digit.box for digit in turned.digits] == [digit.box for digit in upright.digits]
    assert turned.as_json()["turned"] == turned.turn
    assert ("; turned " in batch.describe(turned, 1)) == (turn > 0)


def test_few_digits_upside_down_stay_as_they_are(cnn, some_digits, tmp_path):
    page, _ = pasted(some_digits.images[:3], 3)
    Image.fromarray(np.rot90(page, 2)).save(tmp_path / "few.png")
    (few,) = batch.read_numbers([tmp_path / "few.png"], cnn)
    assert few.turn == ""


# From the shell


def test_shell_says_what_it_found_and_did(run_script, tmp_path, cnn, some_digits):
    Image.fromarray(pasted(some_digits.images[:3], 3)[0]).save(tmp_path / "three.png")
    four = drawn(some_digits.images[int(np.argmax(some_digits.labels == 4))])
    Image.fromarray(np.rot90(four)).save(tmp_path / "side.png")
    process = run_script("predict", "three.png", "side.png", "--model", "mnist_cnn")
    three, side = process.stdout.splitlines()
    assert "three.png: 3 digits found, try --many; read as one: " in three
    three, side_json = map(
        json.loads, run_script("predict", "--json", "three.png", "side.png", "--model", "mnist_cnn").stdout.splitlines()
    )
    assert (three["verdict"], three["digits_found"]) == ("several digits", 3)
    assert ("turned by 90° clockwise" in side) == (side_json["turned"] == "clockwise")
    assert side.endswith(side_json["reading"])


def test_marks_stay_in_the_number_as_unknown(run_script, tmp_path, some_digits):
    picture, _ = pasted(some_digits.images[:3], 3, pitch=130)
    cv2.line(picture, (103, 62), (133, 62), 40, 5)
    cv2.circle(picture, (250, 92), 5, 40, -1)
    Image.fromarray(picture).save(tmp_path / "sum.png")
    first, *lines = run_script("predict", "--many", "sum.png", "--model", "mnist_cnn").stdout.splitlines()
    a, b, c = some_digits.labels[:3]
    assert first == f"sum.png: {a}?{b}?{c}"
    assert [line.split()[0] for line in lines] == [str(a), "?", str(b), "?", str(c)]
    line = json.loads(run_script("predict", "--many", "--json", "sum.png", "--model", "mnist_cnn").stdout)
    assert line["number"] == f"{a}?{b}?{c}"
    assert [digit["verdict"] == "looks like no digit" for digit in line["digits"]] == [False, True, False, True, False]


def test_files_that_are_no_pictures_are_passed_over_and_said_once(run_script, tmp_path, some_digits):
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.fromarray(drawn(some_digits.images[0])).save(folder / "7.png")
    for name in ("._7.png", "._8.png", "notes.txt", "README.md", ".DS_Store", "photo.HEIC"):
        (folder / name).write_bytes(b"\0\5\x16\7")
    long = "7" * 300 + ".png"
    process = run_script("predict", folder, long, folder / "7.png", "--model", "mnist_cnn", check=False)
    assert process.returncode == 2
    assert len(process.stdout.splitlines()) == 2
    assert process.stderr.splitlines()[:3] == [
        f"passed over {folder}/._7.png and 1 more: the name begins with a dot",
        f"passed over {folder}/notes.txt: not an image",
        f"passed over {folder}/photo.HEIC: {UNREADABLE[b'ftyp']}",
    ]
    assert "File name too long" in process.stderr
    assert list(batch.find_images([str(folder)])) == [folder / "7.png"]
