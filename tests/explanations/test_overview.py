"""Explanations from the model to the page: each part asked for once more, pictures read back, and the script."""

import base64
import json
import sys
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
import sklearn.manifold
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from PIL import Image
from scipy.special import softmax
from scipy.stats import spearmanr
from threadpoolctl import threadpool_limits

import visualize_features
from digits import cli, data, preprocess
from digits.checkpoints import recognizer
from digits.data import Digits
from digits.explanations import attribution, benchmark, examples, faithfulness, overview, report, shift
from digits.explanations import plots as draw
from digits.explanations.attribution import Attribution
from digits.explanations.overview import Background, Explanations, Subject
from digits.images import to_input
from digits.reporting import thumbnails
from digits.reporting.figures import BLUE, INK, RED
from tests.support import folder_bytes

# Methods asked for, and those that then are there.
ASKED = {
    "mnist_cnn": (("grad_cam", "saliency", "occlusion"), ["grad_cam", "saliency", "occlusion"]),
    "mnist_mlp": (
        (),
        ["saliency", "input_x_gradient", "integrated_gradients", "smooth_grad", "occlusion", "rise"],
    ),
    "digits_8x8_logistic": (("grad_cam", "occlusion"), ["occlusion"]),
    "mnist_random_forest": ((), ["occlusion", "rise"]),
}
NETWORKS = [name for name in ASKED if name != "mnist_random_forest"]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Threads of t-SNE that wait for each other on a busy machine take fifty times as long as one."""
    assert sklearn.manifold
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="module")
def two(splits) -> Subject:
    """A thin 1 and a thin 9, whose patches have few coalitions."""
    images, labels, names = overview.typical_digits(splits.validation)
    return Subject(images[[1, 9]], labels[[1, 9]], [names[1], names[9]])


@pytest.fixture(scope="module")
def background(splits) -> Background:
    return Background(splits.train.first(300), splits.test.first(40), splits.validation.first(6), ("rotate",))


@pytest.fixture(scope="module")
def found(two, background) -> dict[str, Explanations]:
    return {
        name: overview.explain_model(recognizer.load(name), two, background, methods, seed=1)
        for name, (methods, _) in ASKED.items()
    }


def explain_quickly(background: Background, **subject) -> Explanations:
    """What a linear model says, by the quickest method."""
    few = replace(background, corruptions=())
    return overview.explain_model(recognizer.load("mnist_logistic"), Subject(**subject), few, ["occlusion"])


# The digits


def test_typical_digits_are_one_of_each_class(splits):
    images, labels, names = overview.typical_digits(splits.validation)
    assert images.shape == (10, 28, 28)
    assert labels.tolist() == list(range(10))
    assert [name.split()[-1] for name in names] == [str(digit) for digit in range(10)]
    for image, label in zip(images, labels, strict=True):
        same = splits.validation.images[splits.validation.labels == label].astype(float)
        far = np.sqrt(((same - same.mean(axis=0)) ** 2).sum(axis=(1, 2)))
        # In the middle of its class: as many are more typical as are more unusual.
        own = far[(same == image).all(axis=(1, 2))][0]
        assert np.mean(far < own) == pytest.approx(0.5, abs=0.01)


@pytest.fixture
def folder(tmp_path, some_digits) -> Path:
    (tmp_path / "pictures" / "more").mkdir(parents=True)
    for index, name in enumerate(("b.png", "more/a.png", "c.jpg")):
        large = cv2.resize(some_digits.images[index], (112, 112), interpolation=cv2.INTER_CUBIC)
        Image.fromarray(255 - large).save(tmp_path / "pictures" / name)
    (tmp_path / "pictures" / "notes.txt").write_text("no picture")
    return tmp_path / "pictures"


@pytest.mark.parametrize(
    ("arguments", "files"),
    [
        (["b.png"], ["b.png"]),
        (["."], ["b.png", "c.jpg", "more/a.png"]),
        (["c.jpg", "**/*.png"], ["c.jpg", "b.png", "more/a.png"]),
    ],
)
def test_pictures_come_from_files_folders_and_globs(arguments, files, folder):
    images, labels, names = overview.pictures([str(folder / argument) for argument in arguments])
    assert labels is None
    assert names == [Path(file).stem for file in files]
    np.testing.assert_array_equal(images, [preprocess.prepare_file(folder / file).image for file in files])


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ([], ValueError, "no pictures"),
        (["b.png", "notes.txt"], ValueError, "notes.txt: not a whole PNG"),
        (["blank.png"], ValueError, "blank.png: nothing is drawn"),
        (["missing.png"], OSError, "no image .*missing.png"),
        (["*.bmp"], OSError, r"no image .*\*.bmp"),
        (["empty"], OSError, "no image .*empty"),
    ],
)
def test_a_picture_that_cannot_be_read_is_named(arguments, error, words, folder):
    Image.new("L", (50, 50), 255).save(folder / "blank.png")
    (folder / "empty").mkdir()
    with pytest.raises(error, match=words):
        overview.pictures([str(folder / argument) for argument in arguments])


# What is found about a model


@pytest.mark.parametrize("name", ASKED)
def test_attributions_are_those_of_the_methods_that_work(name, found, two):
    assert list(found[name].attributions) == ASKED[name][1]
    recogniser = recognizer.load(name)
    for method, one in found[name].attributions.items():
        again = attribution.explain(attribution.open_model(recogniser, method), two.images, method, seed=1)
        assert one.method == method
        assert one.versus is None
        np.testing.assert_array_equal(one.target, found[name].answers)
        np.testing.assert_allclose(one.heat, again.heat, atol=1e-4)


@pytest.mark.parametrize("name", ASKED)
def test_answer_is_contrasted_with_the_runner_up(name, found, two):
    one, recogniser = found[name], recognizer.load(name)
    probabilities = recogniser.predict_proba(two.images)
    assert one.name == name
    np.testing.assert_array_equal(one.labels, [1, 9])
    np.testing.assert_array_equal(one.answers, probabilities.argmax(axis=1))
    np.testing.assert_array_equal(one.contrast.target, one.answers)
    np.testing.assert_array_equal(one.contrast.versus, np.argsort(probabilities, axis=1)[:, -2])
    model = attribution.open_model(recogniser)
    assert one.contrast.method == attribution.default_method(model)
    again = attribution.explain(model, two.images, None, one.answers, one.contrast.versus, seed=1)
    np.testing.assert_allclose(one.contrast.raw, again.raw, atol=1e-4 * np.abs(again.raw).max())


@pytest.mark.parametrize("name", ASKED)
def test_ground_truth_adds_up_and_agreement_is_spearmans(name, found, two):
    one, model = found[name], attribution.open_model(recognizer.load(name), "occlusion")
    places = np.arange(2)
    score = model.logits(to_input(two.images))[places, one.answers]
    blank = model.logits(np.zeros((1, 28, 28, 1), np.float32))[0, one.answers]
    np.testing.assert_allclose(one.shares.sum(axis=(1, 2)), score - blank, rtol=1e-4, atol=1e-5)
    for row, column in ((3, 14), (14, 14), (20, 9)):
        flipped = two.images.copy()
        flipped[:, row, column] = np.where(flipped[:, row, column] < 128, 255, 0)
        change = model.logits(to_input(flipped))[places, one.answers] - score
        np.testing.assert_allclose(one.effects[:, row, column], change, atol=1e-4)

    assert list(one.agreement) == list(one.attributions)
    for method, correlations in one.agreement.items():
        for signed, shares, correlation in zip(one.attributions[method].signed, one.shares, correlations, strict=True):
            sums = [signed[7 * row : 7 * row + 7, 7 * c : 7 * c + 7].sum() for row in range(4) for c in range(4)]
            assert correlation == pytest.approx(spearmanr(sums, shares.ravel()).statistic, abs=0.02)


@pytest.mark.parametrize("name", ASKED)
def test_counterfactuals_are_answered_as_the_runner_up(name, found, two):
    recogniser = recognizer.load(name)
    for image, other, each in zip(two.images, found[name].contrast.versus, found[name].counterfactuals, strict=True):
        assert each.target == other
        assert each.found
        assert recogniser.predict_proba(each.image[None]).argmax() == other
        np.testing.assert_array_equal(each.image != image, each.changed)


@pytest.mark.parametrize("name", ASKED)
def test_examples_and_plane_need_a_last_layer(name, found, two, background):
    one, recogniser = found[name], recognizer.load(name)
    test = background.test
    np.testing.assert_array_equal(one.misread, recogniser.predict_proba(test.images).argmax(axis=1) != test.labels)
    if name not in NETWORKS:
        assert one.related is None
        assert one.plane is None
        return
    again = examples.relate(recogniser, background.training, Digits(two.images, two.labels))
    np.testing.assert_allclose(one.related.influence, again.influence, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(one.related.nearest(5), again.nearest(5))
    np.testing.assert_array_equal(one.plane, examples.plane(recogniser, test.images, seed=1))


@pytest.mark.parametrize("name", ASKED)
def test_drift_is_that_of_the_method_it_names(name, found, background):
    one = found[name]
    model = attribution.open_model(recognizer.load(name), one.drift_method)

    def explain(images: np.ndarray, classes: np.ndarray | None) -> Attribution:
        return attribution.explain(model, images, one.drift_method, classes, seed=1)

    (measured,) = one.drifts
    again = shift.measure(explain, background.drifting, "rotate", seed=1)
    assert measured.corruption == "rotate"
    np.testing.assert_array_equal(measured.correct, again.correct)
    np.testing.assert_array_equal(measured.images, again.images)
    np.testing.assert_allclose(measured.similarity, again.similarity, atol=1e-3)


def test_what_a_network_has_learned_is_weights_or_filters(found):
    assert found["mnist_mlp"].weights.shape == (128, 28, 28)
    assert found["digits_8x8_logistic"].weights.shape == (10, 8, 8)
    cnn, forest = found["mnist_cnn"], found["mnist_random_forest"]
    assert cnn.weights is None
    assert {layer: each.shape for layer, each in cnn.filters.items()} == {
        "convolution_1": (32, 3, 3),
        "convolution_2": (32, 3, 3),
        "convolution_3": (32, 3, 3),
        "convolution_4": (32, 3, 3),
    }
    assert {layer: each.shape for layer, each in cnn.feature_maps.items()} == {
        "convolution_1": (2, 12, 13, 13),
        "convolution_2": (2, 12, 11, 11),
        "convolution_3": (2, 12, 5, 5),
        "convolution_4": (2, 12, 5, 5),
    }
    assert forest.weights is None
    assert not any((forest.filters, forest.feature_maps, found["mnist_mlp"].filters, found["mnist_mlp"].feature_maps))


def test_without_labels_the_answers_stand_for_them(background, two):
    wrong = explain_quickly(background, images=two.images, labels=(two.labels + 1) % 10, names=two.names)
    unlabelled = explain_quickly(background, images=two.images, labels=None, names=two.names)
    right = explain_quickly(background, images=two.images, labels=unlabelled.answers, names=two.names)
    np.testing.assert_array_equal(unlabelled.labels, unlabelled.answers)
    np.testing.assert_array_equal(unlabelled.related.influence, right.related.influence)
    assert not np.allclose(unlabelled.related.influence, wrong.related.influence)


def test_target_and_versus_can_be_chosen(background, two):
    plain = explain_quickly(background, images=two.images, labels=None, names=two.names)
    one = explain_quickly(background, images=two.images, labels=None, names=two.names, target=3, versus=9)
    assert one.attributions["occlusion"].target.tolist() == one.contrast.target.tolist() == [3, 3]
    assert one.contrast.versus.tolist() == [9, 9]
    # The model says 9 to the 9 already.
    assert one.answers.tolist() == plain.answers.tolist() == [1, 9]
    assert one.counterfactuals[0].target == 9
    assert one.counterfactuals[1] is None
    # Where the target isn't the answer, the answer is its strongest rival.
    other = explain_quickly(background, images=two.images, labels=None, names=two.names, target=3)
    assert other.contrast.versus.tolist() == [1, 9]
    assert other.counterfactuals == [None, None]
    np.testing.assert_array_equal(other.shares, one.shares)
    assert not np.allclose(other.shares, plain.shares)


def test_versus_alone_contrasts_every_other_answer(background, two):
    one = explain_quickly(background, images=two.images, labels=None, names=two.names, versus=9)
    assert one.contrast.versus[0] == 9
    assert one.contrast.versus[1] != 9


def test_layer_is_for_the_methods_that_look_at_one(background, two):
    few, recogniser = replace(background, corruptions=()), recognizer.load("mnist_cnn")
    subject = replace(two, images=two.images[:1], labels=None, names=["one"], layer="relu_2")
    one = overview.explain_model(recogniser, subject, few, ["hires_cam", "occlusion"])
    assert one.attributions["hires_cam"].layer == "relu_2"
    assert one.attributions["hires_cam"].raw.shape == (1, 11, 11)
    assert one.attributions["occlusion"].layer is None


def test_a_convolution_that_leaves_single_places_is_passed_over(background, two, tmp_path):
    """As the last one of LeNet-5 does."""
    maps = keras.layers.Conv2D(3, 9, strides=9, activation="tanh", name="maps")
    places = keras.layers.Conv2D(5, 3, activation="tanh", name="places")
    logits = keras.layers.Dense(10, name="logits")
    network = keras.Sequential([keras.Input((28, 28, 1)), maps, places, keras.layers.Flatten(), logits])
    network.save(tmp_path / "small.keras")
    shows = keras.Model(network.inputs[0], {"features": logits.input, "logits": logits.output})

    def run(ink: np.ndarray, names: tuple[str, ...]) -> list[np.ndarray]:
        outputs = {name: tensor.numpy() for name, tensor in shows(ink, training=False).items()}
        outputs["probabilities"] = softmax(outputs["logits"], axis=1)
        return [outputs[name] for name in names]

    recogniser = recognizer.Recognizer(
        "small", tmp_path / "small.keras", {}, run, ("features", "logits", "probabilities"), {"feature_layer": "maps"}
    )
    few = replace(background, corruptions=())
    one = overview.explain_model(recogniser, replace(two, labels=None), few, ["saliency"])
    assert {layer: each.shape for layer, each in one.feature_maps.items()} == {"maps": (2, 3, 3, 3)}


# The pictures


def shown(figure: Figure) -> list[np.ndarray]:
    """The arrays on a figure, axis by axis."""
    return [np.asarray(image.get_array()) for axis in figure.axes for image in axis.images]


def titles(figure: Figure) -> list[str]:
    return [title for axis in figure.axes for loc in ("center", "left") if (title := axis.get_title(loc))]


def assert_outlined(axis: Axes, image: np.ndarray, corner: float) -> None:
    """A line runs around the digit; `corner` is where the first pixel's middle lies."""
    xs, ys = np.concatenate([path.vertices for each in axis.collections for path in each.get_paths()]).T
    rows, columns = np.nonzero(image > 127)
    expected = [columns.min(), columns.max(), rows.min(), rows.max()]
    np.testing.assert_allclose([xs.min(), xs.max(), ys.min(), ys.max()], np.add(expected, corner), atol=1.01)


def written(figure: Figure) -> bytes:
    figure.savefig(file := BytesIO())
    return file.getvalue()


@pytest.fixture
def three(some_digits) -> np.ndarray:
    return some_digits.images[:3]


def test_heat_maps_stand_beside_their_digits(three, rng):
    heats = {name: rng.random((3, 28, 28)) for name in ("first", "second")}
    figure = draw.heat_maps(three, heats, ["a", "b", "c"])
    expected = [
        each
        for row in range(3)
        for each in (three[row], *(thumbnails.overlay(three[row], maps[row]) for maps in heats.values()))
    ]
    assert len(figure.axes) == 9
    for array, wanted in zip(shown(figure), expected, strict=True):
        np.testing.assert_array_equal(array, wanted)
    assert titles(figure) == ["first", "second"]
    assert [axis.get_ylabel() for axis in figure.axes[::3]] == ["a", "b", "c"]


@pytest.mark.parametrize(("columns", "axes"), [(10, 3), (2, 4)])
def test_signed_maps_have_white_at_zero_and_the_digits_outline(columns, axes, three, rng):
    maps = rng.normal(size=(3, 28, 28)) * np.array([1, 1e-3, 0])[:, None, None]
    figure = draw.signed_maps(maps, ["a", "b", "c"], columns, outline=three)
    assert len(figure.axes) == axes
    np.testing.assert_array_equal(shown(figure), maps)
    assert titles(figure) == ["a", "b", "c"]
    for axis, each, image in zip(figure.axes, maps, three, strict=False):
        low, high = axis.images[0].get_clim()
        assert -low == high == (np.abs(each).max() or 1)
        assert_outlined(axis, image, 0)


def test_filters_and_feature_maps_are_shown_as_they_are(three, rng):
    weights = rng.normal(size=(20, 3, 3))
    figure = draw.filters(weights)
    assert len(figure.axes) == 32
    np.testing.assert_array_equal(shown(figure), weights)
    for axis, each in zip(figure.axes, weights, strict=False):
        assert axis.images[0].get_clim() == (-np.abs(each).max(), np.abs(each).max())

    maps = rng.random((3, 2, 5, 5))
    maps[:, 1] = 0
    figure = draw.feature_maps(three, maps)
    assert len(figure.axes) == 9
    for row in range(3):
        digit, first, second = (axis.images[0] for axis in figure.axes[3 * row : 3 * row + 3])
        np.testing.assert_array_equal(digit.get_array(), three[row])
        np.testing.assert_array_equal(first.get_array(), maps[row, 0])
        # A channel keeps its scale from digit to digit.
        assert first.get_clim() == (0, maps[:, 0].max())
        assert not np.asarray(second.get_array()).any()
    assert written(figure)


def test_ground_truth_has_every_truth_beside_every_method(three, rng):
    effects, shares, sums = (rng.normal(size=shape) for shape in ((3, 28, 28), (3, 4, 4), (3, 4, 4)))
    figure = draw.ground_truth(three, effects, shares, {"method": sums}, ["a", "b", "c"])
    assert len(figure.axes) == 12
    for row in range(3):
        expected = (three[row], effects[row], shares[row], sums[row])
        for array, wanted in zip(shown(figure)[4 * row : 4 * row + 4], expected, strict=True):
            np.testing.assert_array_equal(array, wanted)
    assert titles(figure)[-1] == "method"
    for axis in figure.axes[1:4]:
        low, high = axis.images[0].get_clim()
        assert -low == high
        # The map's first row is above, in a square of 28 pixels.
        assert list(axis.images[0].get_extent()) == [0, 28, 28, 0]
        assert axis.get_ylim() == (28, 0)


def test_outline_on_the_ground_truth_is_the_digits(three):
    nothing = np.zeros((3, 28, 28))
    figure = draw.ground_truth(three, nothing, nothing, {}, ["a", "b", "c"])
    for row, image in enumerate(three):
        assert_outlined(figure.axes[3 * row + 1], image, 0.5)


def test_counterfactuals_frame_new_ink_red_and_lost_ink_blue(three):
    changed = three.copy()
    inside = tuple(np.argwhere(three[0] == 255)[0])
    changed[0][inside] = 0
    changed[0, 2, 25] = 255
    figure = draw.counterfactuals(three[:2], changed[:2], ["a", "b"])
    np.testing.assert_array_equal(shown(figure), [three[0], three[1], changed[0], changed[1]])
    below = figure.axes[2:]
    frames = {(line.get_ydata()[0], line.get_xdata()[0]): line.get_markeredgecolor() for line in below[0].lines}
    assert frames == {(2, 25): RED, inside: BLUE}
    assert not below[1].lines
    assert titles(figure) == ["a", "b"]


def test_relatives_of_another_label_are_red(some_digits):
    images, labels = some_digits.images[:2], np.array([4, 7])
    groups = {
        "nearest": (some_digits.images[2:6].reshape(2, 2, 28, 28), np.array([[4, 9], [7, 7]])),
        "harmful": (some_digits.images[6:8].reshape(2, 1, 28, 28), np.array([[1], [2]])),
    }
    figure = draw.relatives(images, groups, labels, ["a", "b"])
    order = [0, 2, 3, 6, 1, 4, 5, 7]
    np.testing.assert_array_equal(shown(figure), some_digits.images[order])
    assert titles(figure) == ["a", "nearest: 4", "9", "harmful: 1", "b", "7", "7", "2"]
    colours = [axis.title.get_color() if axis.get_title() else axis._left_title.get_color() for axis in figure.axes
               if axis.images]  # fmt: skip
    assert colours == [INK, INK, RED, RED, INK, INK, INK, RED]


def test_plane_shows_every_digit_and_rings_the_misread(rng):
    places, labels = rng.normal(size=(60, 2)), rng.integers(0, 9, 60)
    wrong = rng.random(60) < 0.2
    figure = draw.plane(places, labels, wrong)
    (axis,) = figure.axes
    *classes, rings = axis.collections
    for digit, each in enumerate(classes):
        np.testing.assert_array_equal(np.asarray(each.get_offsets()).reshape(-1, 2), places[labels == digit])
    assert len({to_hex(each.get_facecolor()[0]) for each in classes[:9]}) == 9
    np.testing.assert_array_equal(rings.get_offsets(), places[wrong])
    assert to_hex(rings.get_edgecolor()[0]) == RED
    assert f"misread ({wrong.sum()})" in axis.get_legend().get_texts()[0].get_text()
    # There is no 9, and so no name for it.
    assert [text.get_text() for text in axis.texts] == [str(digit) for digit in range(9)]


def test_drift_is_in_percent_over_severities_and_amounts():
    rows = {"accuracy": np.linspace(1, 0.5, 6), "similarity of the map": np.linspace(1, 0.1, 6)}
    (axis,) = draw.drift([0, 10, 22.9, 35, 45, 60], "degrees", rows, "rotate").axes
    for line, (name, values) in zip(axis.lines, rows.items(), strict=True):
        assert line.get_label() == name
        np.testing.assert_array_equal(line.get_xdata(), range(6))
        np.testing.assert_allclose(line.get_ydata(), 100 * values)
    assert [label.get_text() for label in axis.get_xticklabels()][:3] == ["0\n0", "1\n10", "2\n22.9"]
    assert axis.get_title() == "rotate"
    assert "degrees" in axis.get_xlabel()


def test_similarity_below_zero_can_be_seen():
    rows = {"similarity of the map": np.linspace(1, -0.4, 6)}
    (axis,) = draw.drift(range(6), "times", rows, "rotate").axes
    assert axis.get_ylim()[0] < -40


def test_moved_reasons_stand_above_each_other(three, rng):
    images, heats = [three, three[::-1]], rng.random((2, 3, 28, 28))
    figure = draw.moved_reasons(images, heats, ["a", "b", "c"])
    expected = [thumbnails.overlay(images[row][place], heats[row][place]) for row in range(2) for place in range(3)]
    np.testing.assert_array_equal(shown(figure), expected)
    assert titles(figure) == ["a", "b", "c"]


def test_feature_maps_below_zero_can_be_drawn(three):
    assert written(draw.feature_maps(three, -np.ones((3, 2, 5, 5))))


def test_names_are_no_formulas(three):
    assert written(draw.heat_maps(three, {"method": np.zeros((3, 28, 28))}, ["$5_$", "b", "c"]))


# The study of the methods


def estimate(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.05, "high": value + 0.05}


def judged(methods: dict[str, float], **counterfactuals) -> dict:
    """What a study might say of one model, from each method's faithfulness."""
    kinds = [f"{way} {filling}" for way in ("deletion", "insertion") for filling in faithfulness.FILLINGS]
    others = ["sensitivity", "shapley", "stability", "evidence"]
    figures = {
        name: {"faithfulness": estimate(value)} | {kind: estimate(value / 2) for kind in kinds + others}
        for name, value in methods.items()
    }
    for name in methods.keys() - benchmark.BASELINES:
        figures[name]["sanity"] = [estimate(0.9), estimate(methods[name] / 10)]
    curve = {way: np.linspace(1, 0, 5).tolist() for way in ("deletion", "insertion")}
    turned = {"target": 9, "images": 7, "found": 6, "median": 5.5, "least": 2, "most": 11}
    return {
        "checkpoint": "0" * 64,
        "methods": figures,
        "curves": {name: dict.fromkeys(faithfulness.FILLINGS, curve) for name in methods},
        "stages": ["logits", "everything"],
        "counterfactuals": turned | {"random_orders": 35, "random_reached": 3, "random_least": 97.0} | counterfactuals,
    }


@pytest.fixture(scope="module")
def study() -> dict:
    models = {
        "net": judged({"grad_cam": 0.41, "occlusion": 0.62, "random": 0.02, "ink": 0.23}),
        "layers": judged({"saliency": 0.15, "rise": 0.71, "random": 0.01, "ink": 0.33}, random_reached=0),
    }
    return {"digits": 1234, "seed": 0, "models": models, "ranking": benchmark.rank(models)}


def test_figures_of_a_study_show_its_numbers(study):
    figures = report.study_figures(study)
    assert set(figures) == {
        *(f"faithfulness {kind}" for kind in ("convolutional", "dense")),
        *(f"{kind} {model}" for kind in ("curves", "cascade") for model in ("net", "layers")),
    }
    (axis,) = figures["faithfulness convolutional"].axes
    assert [label.get_text() for label in axis.get_yticklabels()] == [
        "Random order", "The ink itself", "Grad-CAM", "Occlusion"
    ]  # fmt: skip
    points = [line.get_xdata()[0] for line in axis.lines if line.get_marker() == "o"]
    assert points == [0.02, 0.23, 0.41, 0.62]
    spans = [line.get_xdata() for line in axis.lines if len(line.get_xdata()) == 2][:4]
    np.testing.assert_allclose(spans, [[value - 0.05, value + 0.05] for value in points])

    curves = figures["curves net"].axes
    assert len(curves) == 2 * len(faithfulness.FILLINGS)
    for axis in curves:
        assert [line.get_label() for line in axis.lines] == ["Grad-CAM", "Occlusion", "Random order", "The ink itself"]
        np.testing.assert_allclose(axis.lines[0].get_xydata(), [[0, 1], [25, 0.75], [50, 0.5], [75, 0.25], [100, 0]])

    (axis,) = figures["cascade layers"].axes
    saliency, rise = axis.lines[:2]
    np.testing.assert_allclose(saliency.get_ydata(), [1, 0.9, 0.015])
    np.testing.assert_allclose(rise.get_ydata(), [1, 0.9, 0.071])
    assert [label.get_text() for label in axis.get_xticklabels()] == ["trained", "logits", "everything"]


def test_baselines_are_broken_lines_among_few_methods_too(study):
    axis = report.study_figures(study)["curves net"].axes[0]
    assert [line.get_linestyle() for line in axis.lines[:2]] == ["-", "-"]
    assert {line.get_linestyle() for line in axis.lines[2:]} <= {":", "--", "-."}


# The page


class Page(HTMLParser):
    """What a page holds: pictures, links, headings by their ids, the cells of its tables, and all its words."""

    def __init__(self, path: Path):
        super().__init__()
        self.sources, self.alts, self.links, self.headings, self.rows, self.words = [], [], [], {}, [], ""
        self._heading = self._cell = None
        self.html = path.read_text(encoding="utf-8")
        self.feed(self.html)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self._heading = attributes.get("id") if tag == "h2" else None
        if tag == "img":
            self.sources.append(attributes["src"])
            self.alts.append(attributes["alt"])
        if tag == "a":
            self.links.append(attributes["href"])
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")
            self._cell = True
        assert "href" not in attributes or attributes["href"].startswith("#")
        assert "src" not in attributes or tag == "img"

    def handle_endtag(self, tag):
        if tag in {"td", "th"}:
            self._cell = False

    def handle_data(self, data):
        self.words += data
        if self._heading:
            self.headings[self._heading] = data
            self._heading = None
        if self._cell:
            self.rows[-1][-1] += data


ODD_NAME = '<b>&"odd"'


@pytest.fixture(scope="module")
def folder_of_report(found, two, background, study, tmp_path_factory) -> Path:
    """A report of two models, one under an odd name and with weights, and of a study."""
    odd = replace(found["mnist_random_forest"], name=ODD_NAME, weights=found["mnist_mlp"].weights[:20])
    folder = tmp_path_factory.mktemp("report")
    path = report.write([found["mnist_cnn"], odd], two, background, study, folder)
    assert path == folder / "report.html"
    return folder


@pytest.fixture(scope="module")
def page(folder_of_report) -> Page:
    return Page(folder_of_report / "report.html")


def test_page_needs_no_other_file_and_holds_every_picture(folder_of_report, page):
    # Without a colon it might stand in a picture by chance.
    assert "http:" not in page.html
    assert "https:" not in page.html
    assert "url(" not in page.html
    inside = set()
    for source in page.sources:
        start, content = source.split(",", 1)
        assert start == "data:image/png;base64"
        inside.add(base64.b64decode(content))
    assert len(page.sources) == len(inside)
    files = folder_bytes(folder_of_report)
    pictures = {name: content for name, content in files.items() if name.endswith(".png")}
    assert set(pictures.values()) == inside
    assert set(files) - set(pictures) == {"report.html", "study.json"}
    for name, content in pictures.items():
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        assert min(pixels.shape[:2]) > 60, name
        assert pixels.std() > 5, name


def test_page_has_a_section_a_model_and_a_word_for_every_picture(page):
    assert page.headings == {"study": "Which method to trust", "mnist_cnn": "mnist_cnn", ODD_NAME: ODD_NAME}
    assert set(page.links) == {f"#{name}" for name in page.headings}
    assert all(page.alts)
    of_models = [alt for alt in page.alts if "," in alt]
    assert len(of_models) == len(set(of_models))
    both = ("heat maps", "contrast", "ground truth", "counterfactuals", "drift rotate", "moved rotate")
    layers = [f"{kind} convolution_{place}" for kind in ("filters", "feature maps") for place in (1, 2, 3, 4)]
    assert set(of_models) == {
        *(f"{each}, mnist_cnn" for each in (*both, "relatives", "plane", *layers)),
        *(f"{each}, {ODD_NAME}" for each in (*both, "weights")),
    }
    assert ODD_NAME not in page.html


def test_page_shows_the_study_in_tables(folder_of_report, page, study):
    assert json.loads((folder_of_report / "study.json").read_text()) == study
    assert "1,234" in page.words
    tables = [row for row in page.rows if len(row) > 8]
    assert [row[0] for row in tables] == [
        "method", "Occlusion", "Grad-CAM", "The ink itself", "Random order",
        "method", "RISE", "The ink itself", "Saliency", "Random order",
    ]  # fmt: skip
    occlusion, ink = tables[1], tables[3]
    assert occlusion[1].split() == ["0.620.57", "–", "0.67"]
    assert all(cell.startswith("0.31") for cell in occlusion[2:11])
    assert occlusion[11].startswith("0.06")
    # Baselines have no weights to lose.
    assert ink[11].strip() == "–"
    ranked = [row for row in page.rows if len(row) == 5]
    assert ["Occlusion", "1.0", "0.620", "passes", "yes"] in ranked
    assert ["Saliency", "2.0", "0.150", "passes", "no"] in ranked
    words = " ".join(page.words.split())
    assert "The method to use is Occlusion" in words
    assert "Of 7 fours, 6 were turned into nines by 2 to 11 pixels (median 5.5)" in words
    assert "3 of 35 tries got there at all, none with fewer than 97 pixels" in words
    assert "none of 35 tries got there" in words


def test_page_says_how_well_methods_agree_with_shapley(page, found):
    header, means = (row for row in page.rows if len(row) == 4)
    assert header[1:] == ["Grad-CAM", "Saliency", "Occlusion"]
    assert means[1:] == [f"{each.mean():.2f}" for each in found["mnist_cnn"].agreement.values()]


@pytest.fixture
def bare(found) -> Explanations:
    """A forest of which only attributions are known."""
    return replace(found["mnist_random_forest"], counterfactuals=[None, None], drifts=[])


def test_a_page_of_little_has_only_what_there_is(bare, two, background, tmp_path):
    page = Page(report.write([bare], replace(two, target=3), background, {}, tmp_path))
    assert page.alts == [f"{name}, mnist_random_forest" for name in ("heat maps", "contrast", "ground truth")]
    pictures = ["contrast.png", "ground_truth.png", "heat_maps.png"]
    assert sorted(folder_bytes(tmp_path)) == [*(f"mnist_random_forest/{each}" for each in pictures), "report.html"]
    assert list(page.headings) == ["mnist_random_forest"]
    assert page.links == ["#mnist_random_forest"]
    assert "the class 3;" in page.words
    for absent in ("What would have to be different", "What it learned this from", "What it has learned", "its layers"):
        assert absent not in page.words


def test_counterfactuals_that_were_not_found_are_not_shown(bare, found, two, background, tmp_path):
    first, second = found["mnist_random_forest"].counterfactuals
    lost = replace(first, answer=(first.target + 1) % 10)
    report.write([replace(bare, counterfactuals=[lost, second])], two, background, {}, tmp_path)
    height, width, _ = cv2.imread(str(tmp_path / "mnist_random_forest" / "counterfactuals.png")).shape
    # One column of two rows.
    assert height > 1.3 * width


# The script


@pytest.fixture
def said(splits, monkeypatch, capsys, tmp_path):
    """Run the script in this process, where everything is loaded already; give the line that it ends with."""

    def run(*arguments: str) -> str:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(data, "load_splits", lambda folder: splits)
        few = ["--models", "mnist_logistic", "--methods", "occlusion", "--drift-digits", "2", "--map-digits", "40"]
        monkeypatch.setattr(sys, "argv", ["visualize_features.py", *few, "--output-dir", "out", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.run(visualize_features.main, visualize_features.Options, visualize_features.__doc__)
        assert stopped.value.code == 2
        (line,) = [line for line in capsys.readouterr().err.splitlines() if "error: " in line]
        return line

    return run


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--models", "mnist_nope"], ["no model called mnist_nope", "mnist_cnn", "mnist_mlp"]),
        (["--models", "mnist_mlp", "mnist_mlp"], ["two of the models are called mnist_mlp"]),
        (["--methods", "magic"], ["no method called magic", "grad_cam", "rise"]),
        (["--corruptions", "fogg"], ["no corruption called fogg", "zigzag"]),
        (["--target", "10"], ["target must be 0 to 9, got 10"]),
        (["--target", "-1"], ["target must be 0 to 9, got -1"]),
        (["--versus", "10"], ["versus must be 0 to 9, got 10"]),
        (["--target", "3", "--versus", "3"], ["expected another class in versus than in target"]),
        (["--models", "mnist_cnn", "--methods", "grad_cam", "--layer", "nope"], ["no layer nope", "relu_2, "]),
        (["--methods", "grad_cam", "hires_cam"], ["grad_cam, hires_cam can't explain mnist_logistic", "occlusion, "]),
        (["--images", "text.png"], ["text.png: not a whole PNG"]),
        (["--images", "missing.png"], ["no image missing.png"]),
        (["--images", "empty"], ["no image empty"]),
        (["--drift-digits", "0"], ["at least 1, got 0"]),
        (["--drift-digits", "-3"], ["at least 1, got -3"]),
        (["--map-digits", "0"], ["at least 1, got 0"]),
        (["--map-digits", "-3"], ["at least 1, got -3"]),
        (["--judge", "-3"], ["at least 1, got -3"]),
        (["--judge", "0"], ["at least 1, got 0"]),
        (["--output-dir", "text.png"], ["can't write to the output folder text.png"]),
    ],
)
def test_script_explains_mistakes_in_one_line(arguments, words, said, tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "empty").mkdir()
    line = said(*arguments)
    for word in words:
        assert word in line


def test_a_mistake_found_late_has_a_line_of_its_own(said):
    assert said("--methods", "magic").startswith("error: no method called magic")


def test_script_explains_a_picture_by_two_models(run_script, some_digits, tmp_path, monkeypatch):
    # One thread waits for no other.
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    one = some_digits.images[some_digits.labels == 1][0]
    Image.fromarray(255 - cv2.resize(one, (112, 112), interpolation=cv2.INTER_CUBIC)).save(tmp_path / "<b>.png")
    process = run_script(
        "visualize_features", "--models", "mnist_cnn", "mnist_logistic", "--images", "<b>.png",
        "--methods", "grad_cam", "occlusion", "--corruptions", "rotate",
        "--drift-digits", 10, "--map-digits", 60, "--output-dir", "out",
    )  # fmt: skip
    assert process.stdout == "report: out/report.html\n"
    page = Page(tmp_path / "out" / "report.html")
    assert list(page.headings) == ["mnist_cnn", "mnist_logistic"]
    assert "1 digits" in page.words or "1 digit," in page.words
    assert "<b>" not in page.html
    assert (tmp_path / "out" / "mnist_cnn" / "feature_maps_convolution_1.png").is_file()
    assert (tmp_path / "out" / "mnist_logistic" / "weights.png").is_file()
