"""Shapley values and changed pixels against their definitions, brute force and models with closed forms."""

from functools import cache
from itertools import permutations

import numpy as np
import pytest

from digits.checkpoints import recognizer
from digits.explanations import shapley
from digits.explanations.attribution import ExportedModel
from tests.explanations.test_faithfulness import Linear, random_model

CLASSES = np.eye(10)
# A logit, and the contrast of two.
WEIGHTS = {"a logit": CLASSES[3], "a contrast": CLASSES[8] - CLASSES[3]}


class Squared(Linear):
    """Its logits are the squares of a linear model's."""

    def logits(self, ink: np.ndarray) -> np.ndarray:
        return super().logits(ink) ** 2


def patch(number: int) -> tuple[slice, slice]:
    row, column = divmod(number, 4)
    return slice(7 * row, 7 * row + 7), slice(7 * column, 7 * column + 7)


def with_patches(image: np.ndarray, numbers) -> np.ndarray:
    """The image with the ink of some patches alone."""
    kept = np.zeros_like(image)
    for number in numbers:
        kept[patch(number)] = image[patch(number)]
    return kept


@pytest.fixture(scope="module")
def cnn() -> ExportedModel:
    return ExportedModel(recognizer.load("mnist_cnn"))


@pytest.fixture(scope="module")
def five(some_digits) -> np.ndarray:
    """A real digit of which five patches are left."""
    image = with_patches(some_digits.images[0], (5, 6, 9, 10, 13))
    assert all(image[patch(number)].any() for number in (5, 6, 9, 10, 13))
    return image


@pytest.fixture
def full(rng) -> np.ndarray:
    """An image with ink everywhere."""
    return rng.integers(1, 256, (28, 28)).astype(np.uint8)


# Single pixels


def test_flipping_turns_ink_to_paper_and_paper_to_ink():
    flipped = shapley.flip(np.array([[0, 1, 127], [128, 254, 255]], np.uint8))
    assert flipped.dtype == np.uint8
    assert flipped.tolist() == [[255, 255, 255], [0, 0, 0]]


def test_each_pixel_is_changed_once_and_alone(full):
    before = full.copy()
    changes = shapley.single_pixel_changes(full)
    assert changes.shape == (784, 28, 28)
    assert changes.dtype == np.uint8
    np.testing.assert_array_equal(full, before)
    for (row, column), changed in zip(np.ndindex(28, 28), changes, strict=True):
        assert np.argwhere(changed != full).tolist() == [[row, column]]
        assert changed[row, column] == (255 if full[row, column] < 128 else 0)


@pytest.mark.parametrize("weights", WEIGHTS.values(), ids=WEIGHTS)
def test_effects_of_single_pixels_are_those_of_a_loop(weights, cnn, some_digits):
    image = some_digits.images[2]
    effects = shapley.single_pixel_effects(cnn, image, weights)
    assert effects.shape == (28, 28)

    def score(image):
        return cnn.logits(image[None, :, :, None].astype(np.float32) / 255)[0] @ weights

    for row, column in [*np.argwhere(image)[::9], (0, 0), (27, 3)]:
        changed = image.copy()
        changed[row, column] = 0 if image[row, column] >= 128 else 255
        assert effects[row, column] == pytest.approx(score(changed) - score(image), abs=2e-4)


@pytest.mark.parametrize("weights", WEIGHTS.values(), ids=WEIGHTS)
def test_effects_of_single_pixels_on_a_linear_model(weights, full):
    model = random_model()
    flipped = np.where(full < 128, 1, 0)
    effects = shapley.single_pixel_effects(model, full, weights)
    np.testing.assert_allclose(effects, (flipped - full / 255) * (model.kernel @ weights), atol=1e-6)


# Patches


def test_patches_are_numbered_row_by_row():
    for number in range(16):
        assert (shapley.PATCHES[patch(number)] == number).all()
    assert shapley.PATCHES.shape == (28, 28)


def test_sums_of_patches_are_those_of_a_loop(rng):
    maps = rng.normal(size=(3, 28, 28))
    expected = [[[each[patch(4 * row + column)].sum() for column in range(4)] for row in range(4)] for each in maps]
    np.testing.assert_allclose(shapley.patch_sums(maps), expected)


# Shapley values


@pytest.mark.parametrize("weights", WEIGHTS.values(), ids=WEIGHTS)
def test_shapley_values_are_mean_gains_over_all_orders_of_the_patches(weights, cnn, five):
    players = (5, 6, 9, 10, 13)

    @cache
    def worth(members: frozenset) -> float:
        ink = with_patches(five, members).astype(np.float32) / 255
        return float(cnn.logits(ink[None, :, :, None])[0] @ weights)

    expected = np.zeros(16)
    for order in permutations(players):
        for place, player in enumerate(order):
            before = frozenset(order[:place])
            expected[player] += (worth(before | {player}) - worth(before)) / 120
    values = shapley.exact_shapley(cnn, five, weights)
    assert values.shape == (4, 4)
    np.testing.assert_allclose(values.ravel(), expected, atol=1e-4)
    assert values.sum() == pytest.approx(worth(frozenset(players)) - worth(frozenset()), abs=1e-4)


def test_values_of_a_whole_digit_add_up_to_its_score_and_blank_patches_have_none(cnn, some_digits):
    image = some_digits.images[some_digits.labels == 1][0]
    blank = [number for number in range(16) if not image[patch(number)].any()]
    assert 4 <= len(blank) <= 12
    values = shapley.exact_shapley(cnn, image, CLASSES[1])
    score, of_paper = cnn.logits(np.stack([image, 0 * image])[..., None].astype(np.float32) / 255)[:, 1]
    assert values.sum() == pytest.approx(score - of_paper, abs=1e-3)
    assert not values.ravel()[blank].any()
    assert np.count_nonzero(values) == 16 - len(blank)


@pytest.mark.parametrize("weights", WEIGHTS.values(), ids=WEIGHTS)
def test_values_of_a_linear_model_are_sums_of_its_contributions(weights, some_digits):
    model = random_model()
    model.bias = np.arange(10) - 4
    # A patch of the faintest ink takes part like any other.
    image = with_patches(some_digits.images[1], (4, 5, 6, 8, 9, 10))
    image[21, 27] = 1
    shares = model.kernel @ weights * image / 255
    expected = [shares[patch(number)].sum() for number in range(16)]
    np.testing.assert_allclose(shapley.exact_shapley(model, image, weights).ravel(), expected, atol=1e-6)
    assert expected[15] != 0


def test_all_sixteen_patches_may_have_ink(full):
    seen = []

    class Watched:
        def logits(self, ink):
            seen.append(ink[:, 3::7, 3::7, 0].reshape(-1, 16) > 0)
            return (ink.reshape(len(ink), -1) @ model.kernel.reshape(784, 1).astype(np.float32)) ** 2

    # Of the square of a sum each part gets itself times the sum: its own square, and half of each product.
    model = random_model(1)
    values = shapley.exact_shapley(Watched(), full, np.array([2.0]))
    shares = model.kernel[..., 0] * full / 255
    sums = np.array([shares[patch(number)].sum() for number in range(16)])
    np.testing.assert_allclose(values.ravel(), 2 * sums * sums.sum(), atol=1e-4)
    assert max(map(len, seen)) == shapley.CHUNK
    assert len(np.unique(np.packbits(np.concatenate(seen), axis=1), axis=0)) == 65_536 == sum(map(len, seen))


def test_patches_that_do_the_same_have_the_same_value(rng):
    model = Linear(np.tile(rng.normal(size=(7, 7, 3)), (4, 4, 1)))
    tile = rng.integers(1, 256, (7, 7)).astype(np.uint8)
    image = np.zeros((28, 28), np.uint8)
    for number in (0, 7, 10):
        image[patch(number)] = tile
    image[patch(3)] = 255 - tile // 2
    same, one_more = (0, 7, 10), 3

    class Twisted(Linear):
        def logits(self, ink):
            return np.tanh(super().logits(ink) / 3) * 5

    values = shapley.exact_shapley(Twisted(model.kernel), image, np.array([1.0, -0.5, 0])).ravel()
    np.testing.assert_allclose(values[list(same)], values[0])
    assert abs(values[one_more] - values[0]) > 0.01


@pytest.mark.parametrize("chunk", [1, 5, 32, 33])
def test_coalitions_are_recognised_once_each_in_chunks_of_any_size(chunk, five, monkeypatch):
    expected = shapley.exact_shapley(random_model(10, Squared), five, CLASSES[4])
    monkeypatch.setattr(shapley, "CHUNK", chunk)
    model = random_model(10, Squared)
    np.testing.assert_allclose(shapley.exact_shapley(model, five, CLASSES[4]), expected)
    assert [len(ink) for ink in model.shown] == [chunk] * (32 // chunk) + [32 % chunk] * bool(32 % chunk)


def test_value_of_a_contrast_is_the_difference_of_two(cnn, five):
    three, eight, contrast = (
        shapley.exact_shapley(cnn, five, weights) for weights in (CLASSES[3], CLASSES[8], CLASSES[8] - CLASSES[3])
    )
    np.testing.assert_allclose(contrast, eight - three, atol=1e-4)


def test_blank_paper_has_no_values(cnn):
    assert shapley.exact_shapley(cnn, np.zeros((28, 28), np.uint8), CLASSES[0]).tolist() == [[0] * 4] * 4
