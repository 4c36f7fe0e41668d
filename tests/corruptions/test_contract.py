"""One contract for all corruptions, and the table that holds them."""

from dataclasses import fields

import numpy as np
import pytest

from digits.augmentation import Augmentation
from digits.checkpoints import recognizer
from digits.corruptions import CHUNK, CORRUPTIONS, SEVERITIES, select
from tests.corruptions.pages import pages

DETERMINISTIC = {
    *("gaussian_blur", "downsampling", "jpeg", "scale", "thicker", "thinner", "canny_edges"),
    *("brightness", "low_contrast", "faint_ink", "stripe"),
}
# Function defaults of Mu and Gilmer's corruptions.py, in the units used here.
MNIST_C = {
    "shot_noise": 3,
    "impulse_noise": 100 * 0.17,
    "glass_blur": 2,
    "motion_blur": 3,
    "shear": np.rad2deg(0.4),
    "scale": 100 * 0.7,
    "rotate": np.rad2deg(0.4),
    "brightness": 100 * 0.5,
    "translate": 3,
    "stripe": 7,
    "fog": 3,
    "spatter": 50,
    "dotted_line": 100,
    "zigzag": 100,
    "canny_edges": 100,
}

every_corruption = pytest.mark.parametrize("corruption", CORRUPTIONS.values(), ids=CORRUPTIONS)


@pytest.fixture(scope="module")
def recognizers() -> list[recognizer.Recognizer]:
    return [recognizer.load(name) for name in ("mnist_advanced", "mnist_cnn")]


@every_corruption
def test_returns_new_images_of_the_same_shape_and_dtype(corruption, digits_100):
    before = digits_100.copy()
    for severity in SEVERITIES:
        damaged = corruption(digits_100, severity, np.random.default_rng(1))
        assert damaged.shape == digits_100.shape
        assert damaged.dtype == np.uint8
        assert not np.array_equal(damaged, digits_100)
        np.testing.assert_array_equal(digits_100, before)


@every_corruption
def test_severity_0_is_a_copy(corruption, digits_100, rng):
    same = corruption(digits_100, 0, rng)
    np.testing.assert_array_equal(same, digits_100)
    assert not np.shares_memory(same, digits_100)


@every_corruption
def test_memory_layout_does_not_matter(corruption, digits_100):
    transposed = digits_100.transpose(0, 2, 1)
    expected = corruption(np.ascontiguousarray(transposed), 2, np.random.default_rng(2))
    np.testing.assert_array_equal(corruption(transposed, 2, np.random.default_rng(2)), expected)


@every_corruption
def test_no_images_give_no_images(corruption, rng):
    assert corruption(np.empty((0, 28, 28), np.uint8), 3, rng).shape == (0, 28, 28)


@every_corruption
def test_seed_determines_what_is_random(corruption, digits_100):
    first, again, other = (corruption(digits_100, 3, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.array_equal(first, other) == (corruption.name in DETERMINISTIC)


@every_corruption
def test_corruption_of_an_image_depends_on_its_index_alone(corruption, some_digits):
    images = some_digits.images[: 2 * CHUNK + 20]
    whole = corruption(images, 4, np.random.default_rng(3))
    for part in ([7, 3, 90], [CHUNK], range(50, 2 * CHUNK)):
        rows = np.array(part)
        np.testing.assert_array_equal(corruption(images[rows], 4, np.random.default_rng(3), part), whole[rows])


@every_corruption
def test_change_grows_with_severity(corruption, digits_100):
    distances = [
        np.abs(corruption(digits_100, severity, np.random.default_rng(4)) - digits_100.astype(float)).mean()
        for severity in (0, *SEVERITIES)
    ]
    assert np.all(np.diff(distances) > 0), distances


# Counts of photons at two rates have little in common.
@pytest.mark.parametrize("name", sorted(set(CORRUPTIONS) - DETERMINISTIC - {"shot_noise"}))
def test_higher_severity_is_more_of_the_same_corruption(name, digits_100):
    (weaker, stronger, another) = (
        CORRUPTIONS[name](digits_100, severity, np.random.default_rng(seed)).astype(float)
        for severity, seed in ((4, 5), (5, 5), (5, 6))
    )
    assert np.abs(stronger - weaker).mean() < 0.8 * np.abs(another - weaker).mean()


@every_corruption
def test_severity_1_keeps_the_label(corruption, some_digits, recognizers, rng):
    damaged = corruption(some_digits.images, 1, rng)
    answers = (model.predict_proba(damaged).argmax(axis=1) for model in recognizers)
    assert any(np.mean(each == some_digits.labels) >= 0.95 for each in answers)


@every_corruption
def test_levels_move_away_from_neutral(corruption):
    assert len(corruption.levels) == len(SEVERITIES)
    steps = np.diff([corruption.neutral, *corruption.levels])
    assert np.all(steps > 0) or np.all(steps < 0)


@every_corruption
def test_related_augmentations_exist(corruption):
    families = {field.name for field in fields(Augmentation)}
    assert families.issuperset(corruption.seen_with + corruption.related_to)


def test_table_has_28_names():
    assert len(CORRUPTIONS) == 28
    assert all(name == corruption.name for name, corruption in CORRUPTIONS.items())


def test_mnist_c_is_complete_and_at_its_own_levels():
    levels = {name: c.amount(c.mnist_c) for name, c in CORRUPTIONS.items() if c.mnist_c is not None}
    assert levels == pytest.approx(MNIST_C, abs=0.05)


@pytest.mark.parametrize("severity", [6, -1])
def test_unknown_severity_is_refused(severity, digits_100, rng):
    with pytest.raises(ValueError, match=f"severity must be 0 to 5, got {severity}"):
        CORRUPTIONS["fog"](digits_100, severity, rng)


@pytest.mark.parametrize("severity", [0, 3])
@pytest.mark.parametrize(
    "images",
    [np.zeros((2, 28, 28)), np.zeros((2, 28, 28, 1), np.uint8), np.zeros((28, 28), np.uint8), pages(0, 2)[:, :, :27]],
    ids=["float", "channel", "single", "narrow"],
)
def test_other_images_are_refused(images, severity, rng):
    with pytest.raises(ValueError, match=r"uint8 \(N, 28, 28\), got (float64|uint8) \("):
        CORRUPTIONS["rotate"](images, severity, rng)


def test_wrong_number_of_indices_is_refused(digits_100, rng):
    with pytest.raises(ValueError, match="got 99 for 100"):
        CORRUPTIONS["fog"](digits_100, 1, rng, range(99))


def test_select_finds_names_in_the_tables_order():
    for names in (["zigzag", "fog", "rotate"], {"fog", "zigzag", "rotate"}, iter(["fog", "rotate", "zigzag"])):
        assert [corruption.name for corruption in select(names)] == ["rotate", "fog", "zigzag"]
    assert not select([])


def test_select_says_which_names_there_are():
    with pytest.raises(ValueError, match="fogg") as error:
        select(["fog", "fogg"])
    assert all(name in str(error.value).split("there are: ")[1].split(", ") for name in CORRUPTIONS)
