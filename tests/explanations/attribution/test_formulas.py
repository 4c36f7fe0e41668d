"""Each method against closed forms, plain loops, finite differences and quadrature."""

from functools import cache

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from digits import paths
from digits.explanations.attribution import KerasModel, choose_layer, explain
from tests.checkpoints.test_layer_graph import answers, functional
from tests.explanations.attribution.models import close, logits_model, model_called, opened, quickly, resized, seen


@pytest.mark.parametrize("name", ["pooling", "separable", "residual", "mnist_advanced"])
@pytest.mark.parametrize("method", ["grad_cam", "hires_cam"])
def test_behind_global_average_pooling_the_map_is_cam_and_sums_to_the_logit_less_its_bias(name, method, images, ink):
    found = explain(opened(name), images, method, target=6)
    *_, kernel, bias = model_called(name).get_weights()
    maps, _ = seen(name, found.layer, ink, 6)
    cam = maps @ kernel[:, 6]
    close(found.raw, cam / cam[0].size, 1e-5)
    close(found.raw.sum(axis=(1, 2)), found.logits[:, 6] - bias[6], 1e-5)


@pytest.mark.parametrize("name", ["flatten", "depthwise", "split", "mnist_cnn"])
def test_behind_a_flat_linear_head_hires_cam_sums_to_the_logit_less_its_bias(name, images):
    found = explain(opened(name), images, "hires_cam", target=6)
    bias = model_called(name).get_weights()[-1]
    close(found.raw.sum(axis=(1, 2)), found.logits[:, 6] - bias[6], 1e-5)


POWER_OF_INK = {1: [layers.Identity()], 2: [ops.square]}
# (kernel, ink, power) to the map of the sum of kernel × ink^power.
CLOSED_FORMS = {
    "saliency": lambda kernel, ink, power: power * kernel * ink ** (power - 1),
    "input_x_gradient": lambda kernel, ink, power: power * kernel * ink**power,
    "integrated_gradients": lambda kernel, ink, power: kernel * ink**power,
}


@pytest.mark.parametrize("method", CLOSED_FORMS)
@pytest.mark.parametrize("power", POWER_OF_INK)
def test_gradient_methods_on_a_polynomial_are_its_closed_form(power, method, images, ink):
    model = functional(*POWER_OF_INK[power], layers.Flatten(), layers.Dense(10))
    kernel = model.get_weights()[0][:, 3].reshape(28, 28)
    found = quickly(KerasModel(model), images, method, target=3)
    close(found.raw, CLOSED_FORMS[method](kernel, ink[..., 0], power), 1e-5)


def test_smooth_grad_is_the_mean_gradient_under_noise_of_the_given_deviation(images, ink):
    """The gradient of kernel × ink² at noisy ink is 2 × kernel × (ink + noise), of a linear model the kernel."""
    linear, square = (functional(*first, layers.Flatten(), layers.Dense(10)) for first in POWER_OF_INK.values())
    linear_map, square_map = (
        explain(KerasModel(each), images, "smooth_grad", target=3, samples=25, deviation=0.5).raw
        for each in (linear, square)
    )
    linear_kernel, square_kernel = (each.get_weights()[0][:, 3].reshape(28, 28) for each in (linear, square))
    close(linear_map, np.broadcast_to(linear_kernel, (4, 28, 28)), 1e-5)
    noise = square_map / (2 * square_kernel) - ink[..., 0]
    np.testing.assert_allclose(noise.std(), 0.5 / np.sqrt(25), rtol=0.1)
    np.testing.assert_allclose(noise.mean(), 0, atol=0.02)


def in_double_precision() -> keras.Model:
    """A smooth model, so that differences and quadrature are exact to many digits."""
    ink = keras.Input((28, 28, 1), dtype="float64")
    hidden = layers.Conv2D(3, 5, strides=4, activation="softplus", dtype="float64")(ink)
    hidden = layers.Conv2D(2, 3, activation="softplus", dtype="float64", name="seen")(hidden)
    hidden = layers.Dense(6, activation="tanh", dtype="float64")(layers.Flatten(dtype="float64")(hidden))
    return keras.Model(ink, layers.Dense(10, activation="softmax", dtype="float64", bias_initializer="ones")(hidden))


def central_differences(score, point: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """The gradient of `score`, from a batch of points to one number each, at one point."""
    steps = step * np.eye(point.size).reshape(-1, *point.shape)
    return ((score(point + steps) - score(point - steps)) / (2 * step)).reshape(point.shape)


def test_central_differences_confirm_both_gradients(ink, rng):
    model = in_double_precision()
    attributed, weights = KerasModel(model), rng.normal(size=(1, 10))
    model.layers[-1].activation = keras.activations.linear
    front = keras.Model(model.input, model.get_layer("seen").output)
    head = keras.Sequential([keras.Input(front.output.shape[1:], dtype="float64"), *model.layers[3:]])
    one = ink[:1].astype(np.float64)
    logits, maps = attributed.logits_and_maps(one, "seen")
    gradients = attributed.map_gradients(one, weights, "seen")
    np.testing.assert_allclose(logits, answers(model, one))
    np.testing.assert_allclose(maps, answers(front, one))
    expected = central_differences(lambda points: answers(head, points) @ weights[0], maps[0])
    np.testing.assert_allclose(gradients[0], expected, atol=1e-8)
    expected = central_differences(lambda points: answers(model, points) @ weights[0], one[0])
    np.testing.assert_allclose(attributed.gradients(one, weights)[0], expected[..., 0], atol=1e-8)


def test_integrated_gradients_are_complete(images):
    blank = np.zeros_like(images)
    for model, steps, tolerance in ((KerasModel(in_double_precision()), 20, 1e-12), (opened("mnist_cnn"), 150, 0.02)):
        found = explain(model, images, "integrated_gradients", target=3, versus=8, steps=steps)
        scores = found.logits - explain(model, blank, "saliency").logits
        close(found.raw.sum(axis=(1, 2)), scores[:, 3] - scores[:, 8], tolerance)


def plain_grad_cam(maps, gradients, **_):
    return sum(maps[..., c] * gradients[..., c].mean() for c in range(maps.shape[-1]))


def plain_hires_cam(maps, gradients, **_):
    return sum(maps[..., c] * gradients[..., c] for c in range(maps.shape[-1]))


def plain_grad_cam_plus_plus(maps, gradients, **_):
    """Chattopadhay et al. 2018: equation 19 gives each place its alpha, equation 5 the channel its weight."""
    raw = np.zeros(maps.shape[:2])
    for c in range(maps.shape[-1]):
        weight = 0.0
        for g in gradients[..., c].ravel().astype(float):
            if g > 0:
                weight += g**2 / (2 * g**2 + maps[..., c].sum() * g**3) * g
        raw += weight * maps[..., c]
    return raw


def plain_score_cam(maps, image, score, **_):
    scores = {}
    for c in range(maps.shape[-1]):
        mask = resized(maps[None, ..., c])[0]
        if extent := mask.max() - mask.min():
            scores[c] = score(image * (mask - mask.min()) / extent)
    return sum((each - np.mean(list(scores.values()))) * maps[..., c] for c, each in scores.items())


def plain_occlusion(image, score, **_):
    losses, times, whole = np.zeros((28, 28)), np.zeros((28, 28)), score(image)
    for row in range(0, 25, 2):
        for column in range(0, 25, 2):
            covered = image.copy()
            covered[row : row + 4, column : column + 4] = 0
            losses[row : row + 4, column : column + 4] += whole - score(covered)
            times[row : row + 4, column : column + 4] += 1
    return losses / times


PLAIN = {
    "grad_cam": plain_grad_cam,
    "hires_cam": plain_hires_cam,
    "grad_cam_plus_plus": plain_grad_cam_plus_plus,
    "score_cam": plain_score_cam,
    "occlusion": plain_occlusion,
}


@pytest.mark.parametrize("method", PLAIN)
@pytest.mark.parametrize("name", ["flatten", "two_dense", "mnist_cnn", "mnist_advanced"])
def test_methods_agree_with_plain_loops(name, method, images, ink):
    layer = choose_layer(opened(name), "grad_cam", None)
    maps, gradients = seen(name, layer, ink[:1], 7)
    graph = tf.function(logits_model(name), reduce_retracing=True)

    def score(image: np.ndarray) -> float:
        return float(graph(tf.constant(image[None, ..., None], tf.float32))[0, 7])

    expected = PLAIN[method](maps=maps[0], gradients=gradients[0], image=ink[0, ..., 0], score=score)
    close(explain(opened(name), images[:1], method, target=7).raw[0], expected)


@cache
def one_dense_layer() -> tuple[KerasModel, np.ndarray]:
    """The shipped logistic regression, and its kernel as images, (10, 28, 28)."""
    model = keras.saving.load_model(paths.MODELS / "mnist_logistic.keras")
    return KerasModel(model), model.get_weights()[0].T.reshape(10, 28, 28)


def test_rise_finds_a_lone_pixel_exactly_and_fades_evenly_within_two_cells():
    """Where all the score comes from one pixel, its covariance with the score over its variance is its contribution."""
    model, kernel = one_dense_layer()
    image = np.zeros((1, 28, 28), np.uint8)
    image[0, 14, 12] = 255
    raw = explain(model, image, "rise", target=3, masks=2000).raw[0] / kernel[3, 14, 12]
    assert raw[14, 12] == pytest.approx(1, abs=1e-3)
    assert raw[13:16, 11:14].min() > 0.8
    around = raw[8:21, 6:19]
    for turned in (around[::-1], around[:, ::-1], around.T):
        np.testing.assert_allclose(around, turned, atol=0.15)
    distance = np.abs(np.indices((28, 28)) - np.array([14, 12])[:, None, None]).max(axis=0)
    assert np.abs(raw[distance >= 8]).max() < 0.15


def test_rise_ranks_blocks_as_a_linear_model_weighs_them(images, ink):
    model, kernel = one_dense_layer()
    raw = explain(model, images, "rise", target=3, masks=2000).raw
    contributions = ink[..., 0] * kernel[3]
    found, expected = (each.reshape(4, 4, 7, 4, 7).sum(axis=(2, 4)).reshape(4, 16) for each in (raw, contributions))
    for each, other in zip(found, expected, strict=True):
        assert np.corrcoef(each, other)[0, 1] > 0.8


@pytest.mark.parametrize("masks", [1, 2])
def test_rise_with_hardly_any_masks_stays_finite(masks, images):
    assert np.isfinite(explain(opened("flatten"), images, "rise", masks=masks).raw).all()
