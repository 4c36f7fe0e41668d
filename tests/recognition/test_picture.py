"""Verdicts on pictures that don't show one upright digit: several, none, one on its side; and what is passed over."""

import json

import cv2
import numpy as np
import pytest
from PIL import Image

import digits
from digits.checkpoints import recognizer
from digits.checkpoints.recognizer import Recognizer
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


@pytest.mark.parametrize("count", [2, 3, 15])
def test_several_digits_are_counted_and_not_read_as_one(cnn, some_digits, count):
    picture, _ = pasted(some_digits.images[:count], 5)
    verdict = verdict_on(cnn, picture)
    assert verdict.digits_found == count
    assert (verdict.state, verdict.is_sure) == ("several digits", False)
    assert digits.predict(cnn, picture).state == "several digits"


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
                assert "turned the picture by 90°" in prepared.steps[0]
    assert turned > 50
    assert right >= 0.97 * turned


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
    for name in ("._7.png", "._8.png", "notes.txt", "README.md", ".DS_Store"):
        (folder / name).write_bytes(b"\0\5\x16\7")
    long = "7" * 300 + ".png"
    process = run_script("predict", folder, long, folder / "7.png", "--model", "mnist_cnn", check=False)
    assert process.returncode == 2
    assert len(process.stdout.splitlines()) == 2
    assert process.stderr.splitlines()[:2] == [
        f"passed over {folder}/._7.png, which begins with a dot, and 1 more",
        f"passed over {folder}/notes.txt, which is no image",
    ]
    assert "File name too long" in process.stderr
    assert list(batch.find_images([str(folder)])) == [folder / "7.png"]
