"""The library's own door: what `import digits` offers, what it costs, and how it takes pictures."""

import subprocess
import sys

import cv2
import numpy as np
import pytest
from PIL import Image

import digits
from digits import preprocess
from digits.checkpoints import recognizer
from digits.explanations import attribution
from digits.recognition.verdict import judge


@pytest.fixture(scope="module")
def model() -> recognizer.Recognizer:
    return digits.load("mnist_cnn")


@pytest.fixture
def picture(splits) -> np.ndarray:
    """A 7 as dark ink on a light page, uint8 (140, 140)."""
    return 255 - cv2.resize(splits.test.images[0], (140, 140), interpolation=cv2.INTER_CUBIC)


def test_importing_it_imports_nothing_else():
    code = (
        "import sys, digits\n"
        "assert not {'numpy', 'digits.api'} & set(sys.modules)\n"
        "assert set(digits.__all__) <= set(dir(digits))\n"
        "digits.load\n"
        "assert 'digits.api' in sys.modules\n"
        "assert not {'tensorflow', 'keras', 'sklearn', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_name_is_there_and_no_other():
    for name in digits.__all__:
        assert getattr(digits, name) is not None
    assert digits.load is recognizer.load
    assert digits.METHODS is attribution.METHODS
    with pytest.raises(AttributeError, match="module 'digits' has no attribute 'nonsense'"):
        digits.nonsense  # noqa: B018
    assert not hasattr(digits, "np")


@pytest.mark.parametrize("kind", ["path", "name", "bytes", "grey levels", "light on dark"])
def test_pictures_come_in_any_form(model, picture, tmp_path, kind):
    file = tmp_path / "seven.png"
    Image.fromarray(picture).save(file)
    given = {
        "path": file,
        "name": str(file),
        "bytes": file.read_bytes(),
        "grey levels": picture,
        "light on dark": 255 - picture,
    }[kind]
    image = preprocess.prepare(picture).image
    np.testing.assert_allclose(digits.prepare(given).image.astype(int), image, atol=1)
    verdict = digits.predict(model, given)
    (expected,) = judge(model, image[None])
    assert (verdict.answer, verdict.state) == (expected.answer, expected.state) == (7, "sure")
    assert verdict.confidence == pytest.approx(expected.confidence, abs=0.01)
    assert digits.explain(model, given).heat.shape == (1, 28, 28)


def test_an_image_is_taken_as_it_is(model, splits):
    image = splits.test.images[0]
    (expected,) = judge(model, image[None])
    np.testing.assert_array_equal(digits.predict(model, image).probabilities, expected.probabilities)
    found = digits.explain(model, image, "rise", target=7, versus=1, seed=3, masks=40)
    again = attribution.explain(attribution.ExportedModel(model), image[None], "rise", 7, 1, seed=3, masks=40)
    np.testing.assert_array_equal(found.heat, again.heat)
    assert (found.target, found.versus) == (7, 1)


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        ("gone.png", "no image gone.png"),
        (b"text", "the image: not a valid PNG, JPEG, BMP, WEBP, TIFF, GIF, AVIF or PPM image"),
        (np.full((50, 50), 255, np.uint8), "nothing is drawn on it"),
        (np.zeros((50, 50)), r"expected grey levels as uint8 \(height, width\), got float64 \(50, 50\)"),
        (np.zeros((28, 28), bool), r"got bool \(28, 28\)"),
        (np.zeros((1, 28, 28), np.uint8), r"got uint8 \(1, 28, 28\)"),
        (np.zeros((0, 5), np.uint8), r"got uint8 \(0, 5\)"),
        (7, "expected a path, the bytes of an image file or a NumPy array, got int"),
    ],
)
def test_what_is_no_picture_is_an_error_in_words(model, picture, words):
    for function in (lambda: digits.prepare(picture), lambda: digits.predict(model, picture)):
        with pytest.raises((ValueError, FileNotFoundError), match=words):
            function()


def test_evaluating_and_corrupting_as_the_docstring_shows(model):
    test = digits.load_test()
    few = digits.Digits(test.images[:300], test.labels[:300])
    assert digits.evaluate(model, few).scores()["accuracy"] > 0.97
    foggy = digits.CORRUPTIONS["fog"](few.images, 3, np.random.default_rng(0))
    assert foggy.shape == few.images.shape
    assert not np.array_equal(foggy, few.images)
