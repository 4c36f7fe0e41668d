"""What is found about a model: each part asked for once more."""

from dataclasses import replace
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
import sklearn.manifold
from PIL import Image
from scipy.special import softmax
from scipy.stats import spearmanr
from threadpoolctl import threadpool_limits

from digits import preprocess
from digits.checkpoints import recognizer
from digits.data import Digits
from digits.explanations import attribution, examples, overview, shift
from digits.explanations.attribution import Attribution
from digits.explanations.overview import Background, Explanations, Subject
from digits.images import to_input
from tests.explanations.explained import ASKED

NETWORKS = [name for name in ASKED if name != "mnist_random_forest"]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Threads of t-SNE that wait for each other on a busy machine take fifty times as long as one."""
    assert sklearn.manifold
    with threadpool_limits(1):
        yield


def explain_quickly(background: Background, **subject) -> Explanations:
    """What a linear model says, by the quickest method."""
    few = replace(background, corruptions=())
    return overview.explain_model(recognizer.load("mnist_logistic"), Subject(**subject), few, ["occlusion"])


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
    (images, labels, names), _ = overview.pictures([str(folder / argument) for argument in arguments])
    assert labels is None
    assert names == [Path(file).stem for file in files]
    np.testing.assert_array_equal(images, [preprocess.prepare_file(folder / file).image for file in files])


def test_digits_come_from_a_labelled_set_with_their_labels(tmp_path, some_digits):
    np.savez(tmp_path / "mine.npz", images=some_digits.images, labels=some_digits.labels)
    (images, labels, names), lines = overview.pictures([str(tmp_path / "mine.npz")])
    indices = [int(name.removeprefix("mine ")) for name in names]
    assert len(indices) == 10
    np.testing.assert_array_equal(images, some_digits.images[indices])
    np.testing.assert_array_equal(labels, some_digits.labels[indices])
    assert lines == [f"{tmp_path / 'mine.npz'}: 1,000 digits, .npz"]


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ([], ValueError, "no pictures"),
        (["b.png", "notes.txt"], ValueError, "notes.txt: not a valid PNG"),
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
def test_shift_is_that_of_the_method_it_names(name, found, background):
    one = found[name]
    model = attribution.open_model(recognizer.load(name), one.shift_method)

    def explain(images: np.ndarray, classes: np.ndarray | None) -> Attribution:
        return attribution.explain(model, images, one.shift_method, classes, seed=1)

    (measured,) = one.shifts
    again = shift.measure(explain, background.shifted, "rotate", seed=1)
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

    path, outputs = tmp_path / "small.keras", ("features", "logits", "probabilities")
    recogniser = recognizer.Recognizer("small", path, {}, run, outputs, {"feature_layer": "maps"}, network=path)
    few = replace(background, corruptions=())
    one = overview.explain_model(recogniser, replace(two, labels=None), few, ["saliency"])
    assert {layer: each.shape for layer, each in one.feature_maps.items()} == {"maps": (2, 3, 3, 3)}
