"""A model gets its digits as it was trained on them, found by trying."""

import numpy as np
import pytest
from scipy.special import softmax

from digits.checkpoints import input_format, recognizer
from digits.checkpoints.input_format import SCALES, InputFormat

FORMATS = [InputFormat(scale=scale, transposed=transposed) for scale in SCALES for transposed in (False, True)]


@pytest.fixture(scope="module")
def linear() -> recognizer.Recognizer:
    return recognizer.load("mnist_logistic")


def trained_on(given: InputFormat, model: recognizer.Recognizer, output: str):
    """A model that was trained on another format: it undoes it before it reads."""

    def run(pixels: np.ndarray) -> np.ndarray:
        paper, ink = given.paper_and_ink
        undone = (pixels.reshape(-1, 28, 28, 1) - paper) / (ink - paper)
        return model.run((undone.swapaxes(1, 2) if given.transposed else undone).astype(np.float32), output)[0]

    return run


@pytest.mark.parametrize("output", ["logits", "probabilities"])
@pytest.mark.parametrize("given", FORMATS, ids=InputFormat.describe)
def test_a_model_gets_digits_as_it_reads_them_best(given, output, linear):
    run = trained_on(given, linear, output)
    found, note = input_format.choose(run, given.shape)
    ink, labels = input_format.known_digits()
    right, most = (np.sum(run(each.apply(ink)).argmax(axis=1) == labels) for each in (found, given))
    assert right > most - 5
    assert ("dark ink" in found.scale, found.transposed) == ("dark ink" in given.scale, given.transposed)
    assert (note == "") == (found == InputFormat())
    assert found == InputFormat() or f"as {found.describe()}: of 100 known digits it reads {right} so" in note
    # These are far from each other.
    assert "255" in found.scale or "255" not in given.scale
    assert given != InputFormat() or found == given


def test_a_model_that_knows_no_digit_is_warned_of(rng):
    weights = rng.normal(size=(784, 10))
    for run in (lambda pixels: pixels.reshape(-1, 784) @ weights, lambda pixels: np.full((len(pixels), 10), 0.1)):
        found, note = input_format.choose(run, (28, 28, 1))
        assert found == InputFormat()
        assert "as by chance: don't rely on its answers" in note


def test_a_poor_model_is_not_called_chance(linear):
    def half(pixels: np.ndarray) -> np.ndarray:
        answers = linear.run(pixels, "probabilities")[0]
        answers[::5], answers[1::5], answers[2::5] = 0.1, 0.1, 0.1
        return answers

    assert input_format.choose(half, (28, 28, 1))[1].startswith("of 100 known digits it reads only 4")


@pytest.mark.parametrize(
    "shape", [(28, 28, 1), (28, 28), (784,), (1, 28, 28), (28, 28, 3), (3, 28, 28), (32, 32, 1), (1, 32, 32), (1, 784)]
)
def test_pixels_come_in_the_models_shape(shape, some_digits):
    ink = some_digits.images[:3, ..., None] / np.float32(255)
    pixels = InputFormat(shape, "0 to 255, dark ink").apply(ink)
    assert pixels.shape == (3, *shape)
    assert pixels.dtype == np.float32
    plane = pixels.mean(axis=shape.index(3) + 1) if 3 in shape else pixels
    margin = 2 if 32 in shape else 0
    framed = plane.reshape(3, 28 + 2 * margin, -1)
    np.testing.assert_allclose(
        framed[:, margin : margin + 28, margin : margin + 28], 255 - some_digits.images[:3], atol=1e-3
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "given",
    [
        InputFormat((28, 28), "standardised"),
        InputFormat((3, 32, 32), "0 to 255, dark ink", transposed=True),
        InputFormat((32, 32, 3), "-1 to 1"),
        InputFormat((784,), "0 to 1", transposed=True),
    ],
    ids=str,
)
def test_layers_before_a_keras_model_make_the_same_pixels(given, some_digits):
    import keras

    from digits.checkpoints import convert

    flat = keras.Sequential([keras.Input(given.shape), keras.layers.Flatten()])
    ink = some_digits.images[:3, ..., None] / np.float32(255)
    found = np.asarray(convert.with_input(flat, given)(ink))
    np.testing.assert_allclose(found, given.apply(ink).reshape(3, -1), atol=1e-4)


@pytest.mark.parametrize("shape", [(224, 224, 3), (10,), (), (28, 28, 28), (28, 32), (2, 28, 28)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match="expected a model of 28×28 or 32×32 pixels"):
        input_format.accepted_shape(shape)


def test_unknown_extents_fit_a_digit():
    assert input_format.accepted_shape((1, None, None)) == (1, 28, 28)
    assert input_format.accepted_shape((None, None, 3)) == (28, 28, 3)


def test_answers_of_all_kinds_become_probabilities(rng):
    logits = rng.normal(size=(50, 10)) * 3
    expected = softmax(logits, axis=1)
    sigmoids = 1 / (1 + np.exp(-logits))
    for answers, kind in ((logits, "logits"), (expected, "probabilities"), (sigmoids, "sigmoids")):
        assert input_format.kind_of_answers(answers) == kind
        np.testing.assert_allclose(input_format.as_probabilities(answers, kind), expected, atol=1e-5)


@pytest.mark.parametrize(
    "answers", [np.full((3, 10), np.nan), np.full((3, 10), np.inf), np.zeros((3, 9)), np.zeros(10)]
)
def test_answers_that_are_none_are_refused(answers):
    with pytest.raises(ValueError, match=r"expected ten numbers|aren't finite"):
        input_format.kind_of_answers(answers)
