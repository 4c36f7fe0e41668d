"""Attribution methods: one contract for all of them, held against closed forms, plain loops and finite differences."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from digits import paths
from digits.checkpoints import cards, recognizer
from digits.explanations.attribution import (
    METHODS,
    ExportedModel,
    KerasModel,
    choose_layer,
    default_method,
    explain,
    is_quick,
    normalise,
    open_model,
    working_methods,
)
from digits.images import to_input
from tests.checkpoints.test_layer_graph import BODIES, ENDINGS, EXPECTED, answers, convolution, functional, make

SHIPPED = ("mnist_cnn", "mnist_advanced")
WITH_LAYER = [name for name, method in METHODS.items() if method.needs_layer]
ON_INK = [name for name in METHODS if name not in WITH_LAYER]
WITHOUT_TENSORFLOW = ["grad_cam", "grad_cam_plus_plus", "hires_cam", "score_cam", "occlusion", "rise"]
# Few draws and steps: what is tested here doesn't depend on their number.
QUICK = {"rise": {"masks": 60}, "smooth_grad": {"samples": 3}, "integrated_gradients": {"steps": 3}}


@cache
def model_called(name: str) -> keras.Model:
    """A shipped model, or a hand-made one with a fused softmax."""
    return keras.saving.load_model(paths.MODELS / f"{name}.keras") if name in SHIPPED else make(name)


@cache
def opened(name: str) -> KerasModel:
    return KerasModel(model_called(name))


@cache
def export_of(name: str) -> ExportedModel:
    return ExportedModel(recognizer.load(name))


@cache
def logits_model(name: str, layer: str | None = None) -> keras.Model:
    """The oracle: a model of the same weights, from ink to the output of a layer, if one is given, and to logits."""
    model = model_called(name) if name in SHIPPED else make(name, "logits")
    logits = model.get_layer("logits").output if name in SHIPPED else model.outputs[0]
    return keras.Model(model.inputs[0], [model.get_layer(layer).output, logits] if layer else logits)


def quickly(model, images: np.ndarray, method: str, **more):
    return explain(model, images, method, **QUICK.get(method, {}) | more)


def close(found: np.ndarray, expected: np.ndarray, tolerance: float = 1e-4) -> None:
    """Equal up to a share of the largest expected value."""
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * max(np.abs(expected).max(), 1e-12))


def resized(maps: np.ndarray) -> np.ndarray:
    """The oracle for maps, (N, h, w), at 28×28."""
    return tf.image.resize(maps[..., None], (28, 28), "bilinear", antialias=False).numpy()[..., 0]


def seen(name: str, layer: str | None, ink: np.ndarray, target: int) -> tuple[np.ndarray, np.ndarray]:
    """The oracle for a layer's maps, or the ink, and the gradient of a logit with respect to them."""
    with tf.GradientTape() as tape:
        given = tf.constant(ink)
        tape.watch(given)
        maps, logits = logits_model(name, layer)(given) if layer else (given, logits_model(name)(given))
        score = tf.reduce_sum(logits[:, target])
    return maps.numpy(), tape.gradient(score, maps).numpy()


@pytest.fixture(scope="module")
def images(some_digits) -> np.ndarray:
    """Four digits that nobody may write to."""
    images = some_digits.images[:4]
    images.flags.writeable = False
    return images


@pytest.fixture(scope="module")
def ink(images) -> np.ndarray:
    return to_input(images)


@pytest.mark.parametrize(
    ("body", "ending"), [(body, "fused_softmax") for body in BODIES] + [("two_dense", ending) for ending in ENDINGS]
)
def test_target_is_the_logit_of_any_model(body, ending, images, ink):
    found = explain(KerasModel(make(body, ending)), images, "saliency", target=3)
    close(found.logits, answers(make(body, "logits"), ink), 1e-5)
    close(found.raw, seen(body, None, ink, 3)[1][..., 0])
    assert found.target.tolist() == [3] * 4


@pytest.mark.parametrize("body", [body for body in BODIES if "in" in body.split("_")] + ["split", "used_twice"])
def test_model_from_a_file_is_explained_as_the_one_in_memory(body, images, tmp_path):
    model = make(body, "softmax_operation")
    model.save(tmp_path / "model.keras")
    loaded = explain(KerasModel(keras.saving.load_model(tmp_path / "model.keras")), images, "grad_cam", target=3)
    fresh = explain(opened(body), images, "grad_cam", target=3)
    assert loaded.layer == fresh.layer == EXPECTED[body][0]
    close(loaded.raw, fresh.raw, 1e-5)


@cache
def scaled(name: str) -> KerasModel:
    """A model with the last layer's kernel and bias times 3."""
    model = keras.models.clone_model(model_called(name))
    *weights, kernel, bias = model_called(name).get_weights()
    model.set_weights([*weights, 3 * kernel, 3 * bias])
    return KerasModel(model)


@pytest.mark.parametrize("method", [method for method in METHODS if method != "grad_cam_plus_plus"])
@pytest.mark.parametrize("name", ["two_dense", "mnist_cnn"])
def test_scaling_the_last_layer_leaves_the_heat_as_it_is(name, method, images):
    """Not for Grad-CAM++, whose formula adds powers of the gradient: it depends on the scale by itself."""
    before, after = (quickly(model, images, method, target=3) for model in (opened(name), scaled(name)))
    close(after.logits, 3 * before.logits)
    close(after.raw, 3 * before.raw)
    close(after.heat, before.heat, 1e-3)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["two_dense", "mnist_cnn"])
def test_contrast_is_the_difference_of_two_maps_where_the_method_says_so(name, method, images):
    contrast = quickly(opened(name), images, method, target=3, versus=5)
    target, versus = (quickly(opened(name), images, method, target=each).raw for each in (3, 5))
    assert (contrast.target.tolist(), contrast.versus.tolist()) == ([3] * 4, [5] * 4)
    agrees = np.allclose(contrast.raw, target - versus, rtol=0, atol=1e-4 * np.abs(target).max())
    assert agrees == METHODS[method].is_linear


@pytest.mark.parametrize(
    ("model", "method"), [(opened, each) for each in METHODS] + [(export_of, each) for each in WITHOUT_TENSORFLOW]
)
def test_batch_gives_what_its_images_give_one_by_one(model, method, images):
    model, targets, versus = model("mnist_cnn"), np.array([0, 9, 4, 4]), [1, 1, 9, 2]
    batch = quickly(model, images, method, target=targets, versus=versus, seed=7)
    for i in range(4):
        alone = quickly(model, images[i : i + 1], method, target=int(targets[i]), versus=versus[i], seed=7)
        close(batch.raw[i : i + 1], alone.raw)
        close(batch.heat[i : i + 1], alone.heat, 1e-3)
        assert batch.has_evidence[i] == alone.has_evidence[0]


@pytest.mark.parametrize("model", [opened, export_of])
def test_images_of_many_blocks_come_back_in_their_order(model, some_digits):
    targets = np.arange(600) % 10
    many = explain(model("mnist_cnn"), some_digits.images[:600], "hires_cam", target=targets)
    for block in (slice(240, 260), slice(590, 600)):
        few = explain(model("mnist_cnn"), some_digits.images[block], "hires_cam", target=targets[block])
        close(many.raw[block], few.raw)


@pytest.mark.parametrize("method", METHODS)
def test_any_class_can_be_target_and_the_answer_is_the_default(method, images, ink):
    model = opened("two_dense")
    all_classes = quickly(model, np.repeat(images[:1], 10, axis=0), method, target=np.arange(10))
    assert all_classes.target.tolist() == list(range(10))
    assert len({each.tobytes() for each in all_classes.raw}) == 10
    by_default = quickly(model, images, method)
    assert by_default.target.tolist() == answers(logits_model("two_dense"), ink).argmax(axis=1).tolist()
    close(by_default.raw[0], all_classes.raw[by_default.target[0]])


@pytest.mark.parametrize("name", ["flatten", "functional_in_functional", "mnist_cnn"])
def test_explaining_changes_neither_the_model_nor_the_images(name, images, ink):
    model = make(name) if name in BODIES else model_called(name)

    def state() -> tuple:
        nodes = [(layer.name, len(layer._inbound_nodes)) for layer in model._flatten_layers()]
        return model.get_config(), nodes, [weight.tobytes() for weight in model.get_weights()], images.tobytes()

    before, answer = state(), answers(model, ink)
    attributed = KerasModel(model) if name in BODIES else opened(name)
    for method in METHODS:
        quickly(attributed, images, method)
    assert state() == before
    np.testing.assert_array_equal(answers(model, ink), answer)


def test_later_training_does_not_show(images):
    model = make("flatten")
    attributed = KerasModel(model)
    before = explain(attributed, images, "grad_cam")
    model.set_weights([weight + 1 for weight in model.get_weights()])
    np.testing.assert_array_equal(explain(attributed, images, "grad_cam").raw, before.raw)


@pytest.mark.parametrize("name", ["two_dense", "mnist_cnn", "export"])
def test_eight_threads_give_what_one_gives(name, images):
    """On a model that has compiled nothing yet, so that all threads ask for the same functions at once."""
    methods = WITHOUT_TENSORFLOW if name == "export" else METHODS
    jobs = [(method, target) for method in methods for target in (0, 3, 6, 9)]
    one = export_of("mnist_cnn") if name == "export" else opened(name)
    shared = ExportedModel(recognizer.load("mnist_cnn")) if name == "export" else KerasModel(model_called(name))
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda job: quickly(shared, images[:1], job[0], target=job[1]), jobs))
    for (method, target), each in zip(jobs, found, strict=True):
        close(each.raw, quickly(one, images[:1], method, target=target).raw)


@pytest.mark.parametrize("method", METHODS)
def test_seed_alone_decides_what_is_drawn(method, images):
    first, again, other = (quickly(opened("two_dense"), images, method, seed=seed).raw for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.array_equal(first, other) != METHODS[method].is_random


@pytest.mark.parametrize("body", BODIES)
def test_layer_is_the_last_with_places_behind_a_convolution(body):
    model = KerasModel(make(body))
    assert choose_layer(model, "grad_cam", None) == EXPECTED[body][0]
    assert choose_layer(model, "saliency", None) is None


@pytest.mark.parametrize(("name", "layer"), [("mnist_cnn", "relu_1"), ("mnist_cnn", "pool_3"), ("depthwise", "relu")])
def test_layer_can_be_chosen(name, layer, images, ink):
    found = explain(opened(name), images, "hires_cam", target=2, layer=layer)
    maps, gradients = seen(name, layer, ink, 2)
    assert found.layer == layer
    close(found.raw, (maps * gradients).sum(axis=-1))


@pytest.mark.parametrize("method", METHODS)
def test_layer_that_cannot_be_looked_at_is_explained(method, images):
    expected = "relu, pool$" if method in WITH_LAYER else "looks at the ink, not at a layer"
    with pytest.raises(ValueError, match=expected):
        explain(opened("depthwise"), images, method, layer="dense" if method in WITH_LAYER else "relu")


@pytest.mark.parametrize("name", sorted(set(cards.available(paths.MODELS)) - {*SHIPPED, "mnist_ensemble"}))
def test_model_without_a_layer_names_the_methods_that_then_work(name, images):
    recogniser = recognizer.load(name)
    has = "it is no network" if name == "mnist_random_forest" else "it has .*logits"
    with pytest.raises(ValueError, match=f"convolution, and {name} has none .{has}") as raised:
        explain(ExportedModel(recogniser), images, "grad_cam")
    named = str(raised.value).split("work on it: ")[1].split(", ")
    assert named == (["occlusion", "rise"] if name == "mnist_random_forest" else ON_INK)
    for method in named:
        found = quickly(open_model(recogniser, method), images[:1], method)
        assert np.isfinite(found.raw).all()
        assert found.layer is None
        assert found.has_evidence.any()


@pytest.mark.parametrize("shape", [(5, 5), (7, 4), (28, 28), (56, 30)])
def test_heat_is_the_positive_part_resized_and_divided_by_its_maximum(shape, rng):
    raw = rng.normal(size=(4, *shape)).astype(np.float32) * np.float32([1e-6, 1, 30, 1e6])[:, None, None]
    heat, has_evidence = normalise(raw)
    positive = resized(np.maximum(raw, 0))
    close(heat, positive / positive.max(axis=(1, 2), keepdims=True), 1e-5)
    assert heat.max(axis=(1, 2)).tolist() == [1] * 4
    assert has_evidence.all()


def test_map_without_positive_evidence_is_zeros_and_says_so(rng):
    raw = rng.normal(size=(3, 5, 5))
    raw[0] = -np.abs(raw[0])
    raw[1] = 0
    heat, has_evidence = normalise(raw)
    assert has_evidence.tolist() == [False, False, True]
    assert not heat[:2].any()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("name", "side"), [("two_dense", 8), ("mnist_advanced", 5)])
def test_every_method_keeps_the_sign_and_has_its_heat_made_in_the_same_way(name, side, method, images):
    """Only Grad-CAM++ takes positive gradients alone, and so can't speak against a class."""
    pairs = np.repeat(images[:2], 2, axis=0)
    found = quickly(opened(name), pairs, method, target=[3, 5, 3, 5], versus=[5, 3, 5, 3])
    assert found.raw.shape == ((4, side, side) if method in WITH_LAYER else (4, 28, 28))
    assert (found.raw < 0).any() == (method != "grad_cam_plus_plus")
    close(found.signed, resized(found.raw), 1e-5)
    for found_part, expected in zip((found.heat, found.has_evidence), normalise(found.raw), strict=True):
        np.testing.assert_array_equal(found_part, expected)


@pytest.mark.parametrize("method", [method for method in METHODS if method != "rise"])
def test_model_that_only_speaks_against_its_target_gives_no_evidence(method, images):
    """Not for RISE, whose raw map has chance fluctuations of either sign where there is no ink."""
    model = functional(
        layers.DepthwiseConv2D(4, strides=4, use_bias=False, depthwise_initializer="ones"),
        layers.Flatten(),
        layers.Dense(10, kernel_initializer=keras.initializers.Constant(-1)),
    )
    found = quickly(KerasModel(model), images, method, target=3)
    assert found.raw.max() <= 0
    assert not found.has_evidence.any()
    assert not found.heat.any()


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


@pytest.mark.parametrize("method", WITHOUT_TENSORFLOW)
@pytest.mark.parametrize("name", SHIPPED)
def test_export_and_keras_agree(name, method, images):
    with_keras, quick = (
        quickly(model, images, method, target=[3, 8, 1, 5]) for model in (opened(name), export_of(name))
    )
    assert with_keras.layer == quick.layer
    close(quick.logits, with_keras.logits, 1e-5)
    close(quick.raw, with_keras.raw, 1e-5)


def test_quick_methods_import_no_tensorflow():
    code = (
        "import sys, numpy as np\n"
        "from digits.checkpoints import recognizer; from digits.explanations import attribution\n"
        "recogniser, image = recognizer.load('mnist_cnn'), np.full((1, 28, 28), 9, np.uint8)\n"
        f"for method in {WITHOUT_TENSORFLOW}:\n"
        "    model = attribution.open_model(recogniser, method)\n"
        "    assert isinstance(model, attribution.ExportedModel)\n"
        "    assert attribution.explain(model, image, method).raw.any()\n"
        "assert not {'tensorflow', 'keras', 'sklearn', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=paths.ROOT / "src", check=True)


@pytest.mark.parametrize(("method", "layer"), [("saliency", None), ("grad_cam", "relu_2"), ("score_cam", "relu_2")])
def test_tensorflow_is_taken_for_another_layer_or_the_inks_gradient(method, layer, images):
    model = open_model(recognizer.load("mnist_cnn"), method, layer)
    assert isinstance(model, KerasModel)
    found = quickly(model, images, method, layer=layer)
    assert found.layer == layer
    close(found.raw, quickly(opened("mnist_cnn"), images, method, layer=layer).raw, 1e-5)


@pytest.mark.parametrize("name", sorted(path.stem for path in paths.MODELS.glob("*.json")))
def test_quick_methods_are_those_that_a_lone_export_can_do(name, images):
    """Asked of each method that works on the model, and tried on a recogniser without its Keras file."""
    recogniser = recognizer.load(name)
    export = ExportedModel(recogniser)
    lone = replace(recogniser, path=recogniser.path.with_suffix(".onnx"))
    for method in working_methods(export):
        if is_quick(export, method):
            assert explain(open_model(lone, method), images[:1], method, **QUICK.get(method, {})).heat.shape == (
                1,
                28,
                28,
            )
        else:
            with pytest.raises(ValueError, match="needs the gradient"):
                open_model(lone, method)


@pytest.mark.parametrize(("has_linear_head", "gradient", "quick"), [
    (True, "ink", False), (True, "map", True), (True, "", True),
    (False, "ink", False), (False, "map", False), (False, "", True),
])  # fmt: skip
def test_gradient_decides_with_the_head_what_is_quick(has_linear_head, gradient, quick):
    export = export_of("mnist_cnn" if has_linear_head else "mnist_mlp")
    assert export.has_linear_head is has_linear_head
    assert {is_quick(export, name) for name, method in METHODS.items() if method.needs_gradient == gradient} == {quick}


@pytest.mark.parametrize("name", [*SHIPPED, "mnist_mlp"])
def test_every_model_has_a_default_method(name, images):
    recogniser = recognizer.load(name)
    model = open_model(recogniser)
    found = explain(model, images[:1])
    assert found.method == default_method(model)
    assert found.method in working_methods(model)
    assert found.has_evidence.all()


def test_export_says_what_can_give_the_gradient_that_it_lacks(images):
    with pytest.raises(ValueError, match="explain mnist_cnn as a KerasModel"):
        explain(export_of("mnist_cnn"), images, "saliency")


@pytest.mark.parametrize(("method", "layer"), [("saliency", None), ("grad_cam", "relu_2"), ("score_cam", "relu_2")])
def test_export_alone_says_what_it_lacks(method, layer):
    lone = replace(recognizer.load("mnist_cnn"), path=paths.MODELS / "mnist_cnn.onnx")
    with pytest.raises(ValueError, match=layer or f"needs the gradient.*: {', '.join(WITHOUT_TENSORFLOW)}"):
        open_model(lone, method, layer)


def test_checkpoint_that_was_trained_on_is_opened_anew(images, tmp_path):
    recogniser = replace(recognizer.load("mnist_cnn"), path=tmp_path / "mine.keras")
    model = keras.models.clone_model(model_called("mnist_cnn"))
    maps = []
    for seconds, scale in enumerate((1, 2)):
        model.set_weights([scale * weight for weight in model_called("mnist_cnn").get_weights()])
        model.save(recogniser.path)
        # A clock too coarse to tell the two files apart would make this test fail by chance.
        os.utime(recogniser.path, (seconds, seconds))
        maps.append(explain(open_model(recogniser, "saliency"), images, "saliency").raw)
    assert not np.allclose(*maps)


BAD = {
    "class too large": ({"target": 10}, "target must be 0 to 9, got 10"),
    "negative class": ({"target": -1}, "target must be 0 to 9, got -1"),
    "half a class": ({"target": 1.5}, "expected target as one class or 4, got float64"),
    "a class's name": ({"target": "three"}, "expected target as one class or 4"),
    "too few classes": ({"target": [1, 2]}, r"expected target as one class or 4, got int64 of shape \(2,\)"),
    "table of classes": ({"target": [[1, 2, 3, 4]]}, "expected target as one class or 4"),
    "a truth": ({"target": True}, "expected target as one class or 4, got bool"),
    "versus too large": ({"target": 1, "versus": [0, 0, 0, 10]}, "versus must be 0 to 9, got 10"),
    "versus itself": ({"target": [1, 2, 3, 4], "versus": 3}, "another class in versus than in target"),
    "unknown method": ({"method": "gradcam"}, f"no method called gradcam; there are: {', '.join(METHODS)}"),
    "unknown layer": ({"layer": "conv9"}, "flatten has no layer conv9 .* it has first, second"),
    "unknown parameter": ({"method": "grad_cam", "steps": 3}, "steps"),
    "patch larger than the image": ({"method": "occlusion", "patch": 29}, "patch"),
    "float images": ({"images": np.zeros((1, 28, 28))}, r"uint8 \(N, 28, 28\), got float64"),
    "one image": ({"images": np.zeros((28, 28), np.uint8)}, r"got uint8 \(28, 28\)"),
    "wide images": ({"images": np.zeros((1, 28, 32), np.uint8)}, r"got uint8 \(1, 28, 32\)"),
    "list": ({"images": [[0]]}, "got list"),
    "no images": ({"images": np.zeros((0, 28, 28), np.uint8)}, "at least one image"),
}


@pytest.mark.parametrize(("bad", "message"), BAD.values(), ids=BAD)
def test_bad_input_is_refused_with_a_sentence(bad, message, images):
    with pytest.raises(ValueError, match=message):
        explain(opened("flatten"), **{"images": images, "method": "grad_cam"} | bad)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["two_dense", *SHIPPED])
def test_odd_images_give_finite_maps_with_honest_flags(name, method, rng):
    noise = rng.integers(0, 256, (28, 28)).astype(np.uint8)
    odd = np.stack([np.zeros((28, 28), np.uint8), np.full((28, 28), 255, np.uint8), noise])
    found = quickly(opened(name), odd, method)
    assert np.isfinite(found.raw).all()
    assert found.has_evidence.tolist() == (found.raw > 0).any(axis=(1, 2)).tolist()
    assert found.heat.max(axis=(1, 2)).tolist() == found.has_evidence.astype(float).tolist()
    assert found.heat.min() >= 0


@pytest.mark.parametrize("masks", [1, 2])
def test_rise_with_hardly_any_masks_stays_finite(masks, images):
    assert np.isfinite(explain(opened("flatten"), images, "rise", masks=masks).raw).all()


def test_model_with_broken_weights_is_refused(images):
    model = make("flatten")
    model.set_weights([np.full_like(weight, np.nan) for weight in model.get_weights()])
    with pytest.raises(ValueError, match="logits of flatten aren't finite"):
        explain(KerasModel(model), images, "grad_cam")


@pytest.mark.parametrize("method", ["saliency", "input_x_gradient", "integrated_gradients"])
def test_model_with_an_infinite_gradient_is_refused(method, images):
    """Of a square root at blank paper."""
    model = functional(ops.sqrt, convolution("first"), layers.Flatten(), layers.Dense(10))
    with pytest.raises(ValueError, match="finite"):
        quickly(KerasModel(model), images, method)


def test_model_that_ignores_its_ink_gives_no_evidence(images):
    model = functional(ops.zeros_like, convolution("first"), layers.GlobalAveragePooling2D(), layers.Dense(10))
    for method in ("saliency", "occlusion", "score_cam", "rise"):
        found = quickly(KerasModel(model), images, method)
        assert not found.has_evidence.any(), method


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_models_of_mixed_precision_are_explained_like_full_ones(policy, images):
    def build(dtype: str) -> KerasModel:
        seen = layers.Conv2D(3, 5, strides=4, activation="relu", dtype=dtype, kernel_initializer="he_uniform")
        model = functional(seen, layers.Flatten(dtype=dtype), layers.Dense(10, dtype=dtype))
        rng = np.random.default_rng(0)
        model.set_weights([rng.normal(0, 0.3, weight.shape) for weight in model.get_weights()])
        return KerasModel(model)

    mixed, full = build(policy), build("float32")
    for method in ("grad_cam", "score_cam", "saliency", "occlusion"):
        close(explain(mixed, images, method, target=3).raw, explain(full, images, method, target=3).raw, 0.1)


@pytest.mark.parametrize("build", [lambda: keras.Sequential([layers.Flatten(), layers.Dense(10)]), object])
def test_what_is_no_model_is_refused_when_it_is_opened(build):
    with pytest.raises(ValueError, match=r"isn't built|expected a Sequential or Functional"):
        KerasModel(build())
