"""Counterfactuals against models for which the fewest pixels are known, plain loops and the model asked again."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from digits.checkpoints import recognizer
from digits.explanations import counterfactual
from digits.explanations.attribution import ExportedModel
from tests.explanations.test_faithfulness import Linear

FAR_BELOW = -1e6


@dataclass
class Told:
    """A model that answers 1 where `lead`, of ink (N, 28, 28), is positive, and else 0."""

    lead: Callable[[np.ndarray], np.ndarray]
    name: str = "told"
    times: int = 0

    def logits(self, ink: np.ndarray) -> np.ndarray:
        assert ink.dtype == np.float32
        self.times += 1
        assert self.times < 1000, "the search doesn't end"
        logits = np.full((len(ink), 10), FAR_BELOW)
        logits[:, 0], logits[:, 1] = 0, self.lead(ink[..., 0].astype(np.float64))
        return logits


def flipped_one(image: np.ndarray, row: int, column: int) -> np.ndarray:
    changed = image.copy()
    changed[row, column] = 0 if image[row, column] >= 128 else 255
    return changed


def counting(image: np.ndarray, needed: int) -> Told:
    """A model that answers 1 as soon as `needed` pixels, whichever, are unlike the image's."""
    return Told(lambda ink: (np.abs(ink - image / 255) > 1e-3).sum(axis=(1, 2)) - needed + 0.5)


def lead_of(model, image: np.ndarray, target: int) -> float:
    logits = model.logits(image[None, :, :, None].astype(np.float32) / np.float32(255))[0].tolist()
    return logits.pop(target) - max(logits)


@pytest.fixture
def grey(rng) -> np.ndarray:
    """An image of all grey levels."""
    return rng.permutation(784).reshape(28, 28).astype(np.uint8)


@pytest.fixture(scope="module")
def four(some_digits) -> np.ndarray:
    image = some_digits.images[some_digits.labels == 4][0]
    image.flags.writeable = False
    return image


@pytest.fixture(scope="module")
def logistic() -> ExportedModel:
    return ExportedModel(recognizer.load("mnist_logistic"))


@pytest.mark.parametrize("short_by", [0.01, 2.0, 9.0])
def test_a_linear_model_is_turned_by_the_fewest_pixels_that_can(short_by, grey, rng):
    kernel = np.zeros((28, 28, 10))
    kernel[..., 6] = rng.normal(size=(28, 28))
    gains = kernel[..., 6] * ((grey < 128) - grey / 255)
    # Class 2 stays ahead of 6 until the flips add `short_by`; nothing else comes near.
    bias = np.full(10, FAR_BELOW)
    bias[2], bias[6] = short_by, -(kernel[..., 6] * grey / 255).sum()
    order = np.argsort(-gains.ravel())
    least = int(np.argmax(np.cumsum(gains.ravel()[order]) > short_by)) + 1

    before = grey.copy()
    found = counterfactual.find(Linear(kernel, bias), grey, 6)
    assert found.found
    assert (found.answer, found.target, found.greedy_pixels) == (6, 6, least)
    assert sorted(np.flatnonzero(found.changed)) == sorted(order[:least])
    np.testing.assert_array_equal(grey, before)
    assert found.image.dtype == np.uint8
    np.testing.assert_array_equal(found.image, np.where(found.changed, np.where(grey < 128, 255, 0), grey))


# What pixels 0 to 3 of a blank page add to a lead of -1, what pairs of them add on top, how many pixels greed flips,
# and which are left.
INTERPLAY = {
    "one is enough": ((1.5, 1.1), {}, 1, {0}),
    "none is needless": ((0.5, 0.4, 0.3), {}, 3, {0, 1, 2}),
    "level is not ahead": ((0.5, 0.5, 0.25), {}, 3, {0, 1, 2}),
    "the first is needless in the end": ((0.5, 0.4, 0.3), {(1, 2): 0.5}, 3, {1, 2}),
    "two are needless in the end": ((0.5, 0.3, 0.15, 0.02), {(2, 3): 2}, 4, {2, 3}),
    "of two that could go the less useful goes": ((0.5, 0.3, 0.15, 0.02), {(2, 3): 0.6}, 4, {0, 2, 3}),
}


@pytest.mark.parametrize(("alone", "pairs", "greedy", "left"), INTERPLAY.values(), ids=INTERPLAY)
def test_needless_pixels_are_put_back(alone, pairs, greedy, left):
    def lead(ink):
        pixels = ink.reshape(len(ink), -1)
        together = sum(gain * pixels[:, one] * pixels[:, other] for (one, other), gain in pairs.items())
        return -1 + pixels[:, : len(alone)] @ alone + together

    found = counterfactual.find(Told(lead), np.zeros((28, 28), np.uint8), 1)
    assert found.found
    assert found.greedy_pixels == greedy
    assert set(np.flatnonzero(found.changed)) == left
    np.testing.assert_array_equal(found.image, np.where(found.changed, 255, 0))


def greedy_loop(model, image: np.ndarray, target: int) -> int:
    """The oracle: how many pixels greed flips, one image at a time."""
    current, flipped = image, set()
    while lead_of(model, current, target) <= 0:
        open_pixels = [place for place in np.ndindex(28, 28) if place not in flipped]
        best = max(open_pixels, key=lambda place: lead_of(model, flipped_one(current, *place), target))
        current = flipped_one(current, *best)
        flipped.add(best)
    return len(flipped)


@pytest.mark.parametrize(("label", "target"), [(4, 9), (3, 8)])
def test_greed_agrees_with_a_loop(label, target, logistic, some_digits):
    image = next(
        image
        for image in some_digits.images[some_digits.labels == label]
        if -4 < lead_of(logistic, image, target) < -1 and lead_of(logistic, image, label) > 0
    )
    found = counterfactual.find(logistic, image, target)
    assert found.greedy_pixels == greedy_loop(logistic, image, target) >= int(found.changed.sum()) >= 1


@pytest.mark.parametrize("name", ["mnist_cnn", "mnist_logistic"])
def test_a_found_image_is_answered_so_and_none_of_its_pixels_is_needless(name, some_digits):
    asked = recognizer.load(name)
    model = ExportedModel(asked)
    digits = some_digits.first(60)
    for image, target in ((digits.images[digits.labels == 4][0], 9), (digits.images[digits.labels == 7][0], 2)):
        found = counterfactual.find(model, image, target)
        assert asked.predict_proba(found.image[None])[0].argmax() == found.answer == found.target == target
        assert found.found
        np.testing.assert_array_equal(found.image[~found.changed], image[~found.changed])
        changed = np.argwhere(found.changed)
        for row, column in changed:
            assert found.image[row, column] == (255 if image[row, column] < 128 else 0)
            put_back = found.image.copy()
            put_back[row, column] = image[row, column]
            assert lead_of(model, put_back, target) <= 1e-5
        assert 1 <= len(changed) <= found.greedy_pixels <= 100


def test_what_the_model_says_already_is_no_counterfactual(four, logistic):
    with pytest.raises(ValueError, match="mnist_logistic answers 4 to this image already"):
        counterfactual.find(logistic, four, 4)


@pytest.mark.parametrize(("needed", "limit", "reached"), [(5, 5, True), (5, 4, False), (1, 1, True), (785, 7, False)])
def test_the_search_ends_at_its_limit(needed, limit, reached, grey):
    found = counterfactual.find(counting(grey, needed), grey, 1, limit=limit)
    assert found.found == reached
    assert found.answer == (1 if reached else 0)
    assert found.target == 1
    assert found.greedy_pixels == found.changed.sum() == min(needed, limit)
    assert (found.image != grey).sum() == min(needed, limit)


def test_pixels_are_not_flipped_back_while_the_target_is_out_of_reach(grey):
    # Any flip costs, and flipping back would cost least.
    model = Told(lambda ink: -1 - (np.abs(ink - grey / 255) > 1e-3).sum(axis=(1, 2)))
    found = counterfactual.find(model, grey, 1, limit=6)
    assert not found.found
    assert found.changed.sum() == (found.image != grey).sum() == 6


def test_the_search_ends_when_every_pixel_is_flipped():
    found = counterfactual.find(Told(lambda ink: np.full(len(ink), -1.0)), np.zeros((2, 3), np.uint8), 1)
    assert not found.found
    assert found.changed.all()


def test_what_is_level_with_the_target_is_no_counterfactual():
    # Of two that are level the first is the answer.
    with pytest.raises(ValueError, match="answers 0 to this image already"):
        counterfactual.find(Told(lambda ink: np.zeros(len(ink))), np.zeros((2, 3), np.uint8), 0, limit=3)


# Random orders


@pytest.mark.parametrize("needed", [1, 100, 784, 785])
def test_counts_in_random_order_are_known_where_any_pixel_will_do(needed, grey, rng):
    counts = counterfactual.pixels_in_random_order(counting(grey, needed), grey, 1, rng, orders=4)
    assert counts.tolist() == [needed if needed <= 784 else np.inf] * 4


def test_random_orders_flip_pixel_after_pixel_until_the_first_answer(grey, rng):
    weights, shown, leads = rng.normal(size=(28, 28)), [], []

    def lead(ink):
        shown.append(np.round(ink * 255).astype(np.uint8))
        # The answer comes and goes.
        leads.append(((ink - grey / 255) * weights).sum(axis=(1, 2)) - 4)
        return leads[-1]

    counts = counterfactual.pixels_in_random_order(Told(lead), grey, 1, rng, orders=12)
    first_pixels = set()
    for images, ahead, count in zip(shown, leads, counts, strict=True):
        current = grey
        for image in images:
            (place,) = np.argwhere(image != current)
            np.testing.assert_array_equal(image, flipped_one(current, *place))
            assert current[tuple(place)] == grey[tuple(place)]
            current = image
        assert len(images) == 784
        assert count == next((step for step, each in enumerate(ahead, start=1) if each > 0), np.inf)
        first_pixels.add(tuple(np.argwhere(images[0] != grey)[0]))
    assert len(first_pixels) > 8
    assert len(set(counts)) > 4


def test_random_orders_are_decided_by_their_generator(grey, rng):
    model = Told(lambda ink: ink[:, :3].sum(axis=(1, 2)) - grey[:3].sum() / 255 - 5)
    once, again, other = (
        counterfactual.pixels_in_random_order(model, grey, 1, np.random.default_rng(seed), orders=6)
        for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(once, again)
    assert not np.array_equal(once, other)


# Comparisons


def test_comparison_tells_of_the_images_that_were_turned(rng):
    # Ink above counts for the target, ink below against it, and 11 pixels are needed.
    model = Told(lambda ink: ink[:, :24].sum(axis=(1, 2)) - ink[:, 24:].sum(axis=(1, 2)) - 10.5)
    images = np.zeros((5, 28, 28), np.uint8)
    for image, pixels in zip(images, (4, 9, 8, 5), strict=False):
        image[0, :pixels] = 255
    # The last would take 123 pixels, in any order.
    images[4, 24:] = 255
    found = counterfactual.compare_with_random_order(model, images, 1, rng, orders=3)
    assert (found["images"], found["found"], found["target"]) == (5, 4, 1)
    assert (found["least"], found["median"], found["most"]) == (2, 4.5, 7)
    assert (found["random_orders"], found["random_reached"]) == (15, 15)
    last = counterfactual.compare_with_random_order(model, images[[0, 4]], 1, rng, orders=3)
    assert (last["found"], last["median"], last["most"]) == (1, 7, 7)
    assert 7 <= last["random_least"] < 123


@pytest.mark.parametrize("count", [2, 0])
def test_comparison_may_find_nothing(count, rng):
    model = Told(lambda ink: np.full(len(ink), -1.0))
    images = np.zeros((count, 28, 28), np.uint8)
    assert counterfactual.compare_with_random_order(model, images, 1, rng, orders=2) == {
        "target": 1,
        "images": count,
        "found": 0,
        "median": None,
        "least": None,
        "most": None,
        "random_orders": 2 * count,
        "random_reached": 0,
        "random_least": None,
    }


def test_comparison_is_that_of_its_parts(logistic, some_digits):
    fours = some_digits.images[some_digits.labels == 4]
    images = np.stack([image for image in fours if -3 < lead_of(logistic, image, 9) < 0][:3])
    found = counterfactual.compare_with_random_order(logistic, images, 9, np.random.default_rng(2), orders=4)
    rng = np.random.default_rng(2)
    orders = np.concatenate([counterfactual.pixels_in_random_order(logistic, image, 9, rng, 4) for image in images])
    pixels = [int(counterfactual.find(logistic, image, 9).changed.sum()) for image in images]
    reached = orders[np.isfinite(orders)]
    assert found == {
        "target": 9,
        "images": 3,
        "found": 3,
        "median": sorted(pixels)[1],
        "least": min(pixels),
        "most": max(pixels),
        "random_orders": 12,
        "random_reached": len(reached),
        "random_least": min(reached) if len(reached) else None,
    }


def test_random_orders_may_never_get_there(rng):
    # Two pixels do it, but all the others together keep it from happening.
    model = Told(lambda ink: ink[:, 0, :2].sum(axis=1) - 1.5 - ink[:, 1:].sum(axis=(1, 2)))
    images = np.zeros((2, 28, 28), np.uint8)
    found = counterfactual.compare_with_random_order(model, images, 1, rng, orders=3)
    assert (found["found"], found["least"], found["most"]) == (2, 2, 2)
    assert (found["random_orders"], found["random_reached"], found["random_least"]) == (6, 0, None)


def test_without_fours_nothing_is_said_of_them(logistic, rng):
    nothing = counterfactual.compare_with_random_order(logistic, np.zeros((0, 28, 28), np.uint8), 9, rng)
    assert counterfactual.comparison_text(nothing) == ""
