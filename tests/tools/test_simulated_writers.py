"""Imagined hands: consistent, legible, and the sample in my_digits is what the code makes."""

import numpy as np
import pytest
from PIL import Image

from digits import paths, preprocess
from digits.checkpoints import recognizer
from tests.support import folder_bytes
from tools import simulated_writers

pytestmark = pytest.mark.slow


def prepared(drawings: list[np.ndarray]) -> np.ndarray:
    return np.stack([preprocess.prepare(drawing).image for drawing in drawings])


def test_a_writer_of_strength_zero_writes_as_mnist_does(some_digits):
    writer = simulated_writers.imagine(np.random.default_rng(0), strength=0)
    digits = some_digits.first(100)
    images = prepared(simulated_writers.draw(writer, digits.images, digits.labels))
    assert np.median(np.abs(images.astype(float) - digits.images).mean(axis=(1, 2))) < 12


def test_an_unfamiliar_hand_is_harder_to_read_and_still_mostly_legible(some_digits):
    digits = some_digits.first(100)
    cnn = recognizer.load("mnist_cnn")
    accuracies = []
    for seed in range(1, 5):
        writer = simulated_writers.imagine(np.random.default_rng(seed))
        images = prepared(simulated_writers.draw(writer, digits.images, digits.labels))
        accuracies.append(np.mean(cnn.predict_proba(images).argmax(axis=1) == digits.labels))
    assert 0.7 < min(accuracies) < 0.95
    assert np.mean(accuracies) < np.mean(cnn.predict_proba(digits.images).argmax(axis=1) == digits.labels) - 0.03


def test_a_slant_is_the_shear_that_moments_measure(some_digits):
    """The oracle: shear adds itself to the ratio of the mixed second moment to the vertical one."""
    upright = simulated_writers.Writer(0, 0, 1, 0, np.zeros((10, 2, simulated_writers.KNOTS, simulated_writers.KNOTS)))
    leaning = simulated_writers.Writer(0.4, 0, 1, 0, upright.shapes)
    ones = some_digits.at(some_digits.labels == 1).first(20)
    rows, columns = np.indices((simulated_writers.SIDE, simulated_writers.SIDE))

    def lean(drawing: np.ndarray) -> float:
        ink = 255.0 - drawing
        y, x = rows - np.average(rows, weights=ink), columns - np.average(columns, weights=ink)
        return -(ink * x * y).sum() / (ink * y * y).sum()

    for straight, slanted in zip(
        *(simulated_writers.draw(writer, ones.images, ones.labels) for writer in (upright, leaning)), strict=True
    ):
        assert lean(slanted) - lean(straight) == pytest.approx(0.4, abs=0.06)


def test_the_shipped_sample_is_what_the_code_makes(tmp_path):
    simulated_writers.write_sample(tmp_path)
    made, shipped = folder_bytes(tmp_path), folder_bytes(paths.MY_DIGITS / "sample")
    assert made.keys() == shipped.keys()
    assert len(made) == 120
    for name in made:
        # The pixels, because another release of Pillow may compress them otherwise.
        np.testing.assert_array_equal(
            np.asarray(Image.open(tmp_path / name)), np.asarray(Image.open(paths.MY_DIGITS / "sample" / name))
        )
