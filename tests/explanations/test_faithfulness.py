"""Figures of faithfulness against loops of one pixel at a time, SciPy, scikit-learn and models with closed forms."""

from dataclasses import dataclass, field
from itertools import permutations

import numpy as np
import pytest
from scipy.stats import chisquare, pearsonr
from sklearn.metrics import auc

from digits.checkpoints import recognizer
from digits.explanations import faithfulness
from digits.explanations.attribution import explain, open_model


@dataclass
class Linear:
    """Logits are ink times `kernel`, (28, 28, classes), plus `bias`; it remembers the ink that it was shown."""

    kernel: np.ndarray
    bias: float | np.ndarray = 0.0
    name: str = "linear"
    shown: list[np.ndarray] = field(default_factory=list)

    def logits(self, ink: np.ndarray) -> np.ndarray:
        assert ink.dtype == np.float32
        assert ink.shape[1:] == (28, 28, 1)
        self.shown.append(ink.copy())
        return ink.reshape(len(ink), -1).astype(np.float64) @ self.kernel.reshape(784, -1) + self.bias


class Squashed(Linear):
    """No longer linear, and its maximum lies within."""

    def logits(self, ink: np.ndarray) -> np.ndarray:
        return np.sin(super().logits(ink))


def random_model(classes: int = 10, kind: type[Linear] = Linear) -> Linear:
    return kind(np.random.default_rng(5).normal(size=(28, 28, classes)) / 10)


def contributions(model: Linear, change: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """What a change of the ink, (N, 28, 28), adds to the targets' logits, pixel by pixel."""
    return change * np.moveaxis(model.kernel[..., targets], -1, 0)


@pytest.fixture(scope="module")
def images(some_digits) -> np.ndarray:
    images = some_digits.images[:5]
    images.flags.writeable = False
    return images


@pytest.fixture(scope="module")
def cnn() -> recognizer.Recognizer:
    return recognizer.load("mnist_cnn")


# The order of the pixels


def test_ranks_are_places_in_a_sorted_list(rng):
    maps = rng.normal(size=(3, 28, 28))
    for each, places in zip(maps, faithfulness.ranks(maps, rng), strict=True):
        pixels = sorted(range(784), key=lambda pixel: -each.flat[pixel])
        assert [places.flat[pixel] for pixel in pixels] == list(range(784))
    assert faithfulness.ranks(np.array([[[-3.0, 0.5], [2.0, -1.0]]]), rng).tolist() == [[[3, 1], [0, 2]]]


def test_pixels_of_one_value_come_in_every_order_equally_often(rng):
    # The brightest first, the darkest last; three that are equal between them.
    maps = np.tile([[5.0, 0, 0], [0, -5, -7]], (6000, 1, 1))
    places = faithfulness.ranks(maps, rng).reshape(6000, 6)
    assert np.unique(places[:, [0, 4, 5]], axis=0).tolist() == [[0, 4, 5]]
    orders, times = np.unique(places[:, 1:4], axis=0, return_counts=True)
    assert list(map(tuple, orders)) == list(permutations((1, 2, 3)))
    assert chisquare(times).pvalue > 0.001


def test_no_place_of_a_flat_map_comes_first(rng):
    places = faithfulness.ranks(np.zeros((500, 28, 28)), rng)
    np.testing.assert_array_equal(np.sort(places.reshape(500, -1), axis=1), np.tile(np.arange(784), (500, 1)))
    # Six standard errors of the mean of 500 places.
    assert np.abs(places.mean(axis=0) - 783 / 2).max() < 6 * 784 / np.sqrt(12 * 500)


def test_order_is_decided_by_the_map_and_where_it_ties_by_the_seed(images):
    inked = images > 0

    def ranks(maps, seed):
        return faithfulness.ranks(maps, np.random.default_rng(seed))

    tied = [ranks(images / 255.0, seed) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(tied[0], tied[1])
    assert not np.array_equal(tied[0], tied[2])
    for places in tied:
        assert places[0][inked[0]].max() == inked[0].sum() - 1
    distinct = np.random.default_rng(0).random(images.shape)
    np.testing.assert_array_equal(ranks(distinct, 1), ranks(distinct, 2))


def test_baselines_know_nothing_and_the_ink(images, rng):
    first, second = faithfulness.random_maps(images, rng), faithfulness.random_maps(images, rng)
    assert first.shape == images.shape
    assert len(np.unique([first, second])) == 2 * images.size
    np.testing.assert_allclose(faithfulness.ink_maps(images), images / 255)


# Deletion and insertion


@pytest.mark.parametrize(
    ("filling", "fill"),
    {"paper": lambda image: 0, "ink": lambda image: 255, "inverted": lambda image: 255 - image}.items(),
)
@pytest.mark.parametrize("steps", [28, 7])
def test_curves_are_those_of_a_loop_over_pixels(filling, fill, steps, cnn, images, rng):
    images, targets = images[:2], np.array([3, 7])
    maps = rng.random(images.shape)
    deletion, insertion = faithfulness.curves(
        open_model(cnn, "occlusion"), images, targets, faithfulness.ranks(maps, rng), filling, steps
    )
    assert deletion.shape == insertion.shape == (2, steps + 1)
    for i, (image, target) in enumerate(zip(images, targets, strict=True)):
        filled = np.broadcast_to(np.uint8(fill(image)), (28, 28))
        for curve, start, end in ((deletion, image, filled), (insertion, filled, image)):
            current, seen = start.copy(), [start.copy()]
            for count, pixel in enumerate(np.argsort(-maps[i].ravel()), start=1):
                current.flat[pixel] = end.flat[pixel]
                if count % (784 // steps) == 0:
                    seen.append(current.copy())
            np.testing.assert_allclose(curve[i], cnn.predict_proba(np.stack(seen))[:, target], atol=1e-5)


@pytest.mark.parametrize("filling", faithfulness.FILLINGS)
@pytest.mark.parametrize("steps", [1, 5])
def test_curves_lead_from_the_image_to_the_filling_and_back(filling, steps, cnn, images, rng):
    answers = cnn.predict_proba(images)
    targets = answers.argmax(axis=1)
    filled = {"paper": 0 * images, "ink": 0 * images + 255, "inverted": 255 - images}[filling]
    places = faithfulness.ranks(rng.random(images.shape), rng)
    curves = faithfulness.curves(open_model(cnn, "occlusion"), images, targets, places, filling, steps)
    rows = np.arange(len(images))
    ends = answers[rows, targets], cnn.predict_proba(filled)[rows, targets]
    for curve, (first, last) in zip(curves, (ends, ends[::-1]), strict=True):
        np.testing.assert_allclose(curve[:, [0, -1]], np.stack([first, last], axis=1), atol=1e-5)


@pytest.mark.parametrize(("filling", "filled"), {"paper": 0, "ink": 1, "inverted": None}.items())
def test_the_best_order_of_a_linear_model_is_that_of_its_contributions(filling, filled, images, rng):
    # With weights for class 0 alone its probability is e^s / (e^s + 9), which grows with s.
    model = random_model()
    model.kernel[..., 1:] = 0
    ink, targets = images / 255, np.zeros(len(images), int)
    lost = contributions(model, ink - (1 - ink if filled is None else filled), targets)

    def curves(maps):
        return faithfulness.curves(model, images, targets, faithfulness.ranks(maps, rng), filling)

    deletion, insertion = curves(lost)
    scores = contributions(model, ink, targets).sum(axis=(1, 2))
    best = np.cumsum(-np.sort(-lost.reshape(len(images), -1), axis=1), axis=1)[:, 27::28]
    falling = np.concatenate([scores[:, None], scores[:, None] - best], axis=1)
    rising = np.concatenate([falling[:, -1:], falling[:, -1:] + best], axis=1)
    for curve, score in ((deletion, falling), (insertion, rising)):
        np.testing.assert_allclose(curve, np.exp(score) / (np.exp(score) + 9), atol=1e-5)
    for other in (-lost, rng.random(images.shape), ink):
        worse_deletion, worse_insertion = curves(other)
        assert (worse_deletion >= deletion - 1e-6).all()
        assert (worse_insertion <= insertion + 1e-6).all()


def test_area_agrees_with_scikit_learn(rng):
    for points in (2, 29):
        curves = rng.random((4, points))
        expected = [auc(np.linspace(0, 1, points), curve) for curve in curves]
        np.testing.assert_allclose(faithfulness.area(curves), expected)
    curves = np.array([[0.3] * 5, [1, 0.75, 0.5, 0.25, 0], [1, 0, 0, 0, 0]])
    np.testing.assert_allclose(faithfulness.area(curves), [0.3, 0.5, 0.125])


# Sensitivity-n


def test_sensitivity_of_a_linear_model_is_perfect_for_its_contributions(images, rng):
    model, targets = random_model(), np.array([0, 3, 3, 9, 5])
    own = contributions(model, images / 255, targets)
    found = faithfulness.sensitivity(
        model,
        images,
        targets,
        {
            "own": own,
            "as float": own.astype(np.float32) * 7,
            "against": -own,
            "of other classes": contributions(model, images / 255, (targets + 1) % 10),
            "flat": np.zeros(images.shape),
        },
        rng,
    )
    for name, expected in {"own": 1, "as float": 1, "against": -1, "flat": 0}.items():
        np.testing.assert_allclose(found[name], [expected] * 5, atol=1e-4)
    assert np.abs(found["of other classes"]).max() < 0.5


def test_sensitivity_of_random_maps_is_none(images, rng):
    model, targets = random_model(), np.arange(5)
    maps = {str(number): faithfulness.random_maps(images, rng) for number in range(40)}
    found = np.array(list(faithfulness.sensitivity(model, images, targets, maps, rng).values()))
    assert found.shape == (40, 5)
    # A correlation over 100 sets that tells nothing spreads by 0.1.
    assert np.abs(found).max() < 0.5
    assert abs(found.mean()) < 0.05


def test_sensitivity_is_that_of_a_loop_over_sets(rng):
    # No pixel is paper, so what was taken away can be seen.
    images = rng.integers(1, 256, (3, 28, 28)).astype(np.uint8)
    targets = np.array([1, 0, 2])
    model = random_model(3, Squashed)
    maps = {"one": rng.normal(size=images.shape), "other": rng.normal(size=images.shape)}
    found = faithfulness.sensitivity(model, images, targets, maps, rng, subsets=15)

    whole, *shown = model.shown
    np.testing.assert_allclose(whole[..., 0], images / 255, rtol=1e-6)
    assert len(shown) == 9
    expected = {name: np.zeros((3, 3)) for name in maps}
    for size, n in enumerate((16, 64, 192)):
        gone = shown[3 * size][..., 0] == 0
        assert gone.sum(axis=(1, 2)).tolist() == [n] * 15
        assert len(np.unique(gone, axis=0)) == 15
        for i, image in enumerate(images / 255):
            seen = shown[3 * size + i][..., 0]
            np.testing.assert_allclose(seen, np.where(gone, 0, image), rtol=1e-6)
            scores = [np.sin((each[..., None] * model.kernel).sum(axis=(0, 1)))[targets[i]] for each in (image, *seen)]
            falls = [scores[0] - score for score in scores[1:]]
            for name, each in maps.items():
                expected[name][size, i] = pearsonr(falls, [each[i][lost].sum() for lost in gone]).statistic
    for name in maps:
        np.testing.assert_allclose(found[name], expected[name].mean(axis=0), atol=1e-6)


def test_methods_are_judged_by_the_same_sets(images):
    model, targets = random_model(kind=Squashed), np.arange(5)
    maps = {name: np.random.default_rng(3).normal(size=images.shape) for name in ("one", "same")}
    maps["other"] = maps["one"][::-1]
    together = faithfulness.sensitivity(model, images, targets, maps, np.random.default_rng(1), subsets=20)
    np.testing.assert_array_equal(together["one"], together["same"])
    for name, each in maps.items():
        alone = faithfulness.sensitivity(model, images, targets, {name: each}, np.random.default_rng(1), subsets=20)
        np.testing.assert_allclose(alone[name], together[name])


def test_a_method_that_asks_the_model_is_more_sensitive_than_chance(cnn, images, rng):
    model = open_model(cnn, "occlusion")
    explained = explain(model, images, "occlusion")
    maps = {"occlusion": explained.signed, "random": faithfulness.random_maps(images, rng)}
    found = faithfulness.sensitivity(model, images, explained.target, maps, rng)
    assert found["occlusion"].mean() > 0.3
    assert abs(found["random"].mean()) < 0.15


# Stability


def moved(image: np.ndarray, down: int, right: int) -> np.ndarray:
    """The oracle: what leaves the page comes in on the other side."""
    rows, columns = np.indices((28, 28))
    return image[(rows - down) % 28, (columns - right) % 28]


# Explainers of one image.
EXPLAINERS = {
    "moves with the image": lambda image: image - 3.0 * moved(image, 1, 0),
    "always the same": lambda image: np.random.default_rng(0).random((28, 28)),
    "knows the place": lambda image: image * np.arange(784.0).reshape(28, 28) ** 2,
    "knows the row": lambda image: image * np.arange(-5.0, 23)[:, None],
    "knows the column": lambda image: image * np.where(np.arange(28) % 2, 1.0, -1.0),
}


def stability_of(explainer, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Maps of all images, and the stability of all but the last."""

    def explain_all(images):
        assert images.dtype == np.uint8
        return np.stack([explainer(image.astype(float)) for image in images])

    maps = explain_all(images)
    return maps, faithfulness.stability(explain_all, images[:-1], maps)


@pytest.mark.parametrize("explainer", EXPLAINERS.values(), ids=EXPLAINERS)
def test_stability_is_that_of_a_loop_over_sides(explainer, images):
    maps, found = stability_of(explainer, images)
    for image, each, ours in zip(images[:-1].astype(float), maps[:-1], found, strict=True):
        sides = ((1, 0), (-1, 0), (0, 1), (0, -1))
        back = [moved(explainer(moved(image, down, right)), -down, -right) for down, right in sides]
        assert ours == pytest.approx(np.mean([pearsonr(each.ravel(), other.ravel()).statistic for other in back]))


@pytest.mark.parametrize(
    ("explainer", "low", "high"),
    [
        (EXPLAINERS["moves with the image"], 1 - 1e-9, 1 + 1e-9),
        # Perfect up and down, the opposite to the left and right.
        (EXPLAINERS["knows the column"], -1e-9, 1e-9),
        (EXPLAINERS["always the same"], -0.1, 0.1),
        (lambda image: np.zeros((28, 28)), 0, 0),
    ],
)
def test_stability_is_one_for_maps_that_move_along_and_none_for_maps_that_stay(explainer, low, high, images):
    found = stability_of(explainer, images)[1]
    assert found.shape == (4,)
    assert low <= found.min() <= found.max() <= high
