"""One contract for all attribution methods."""

from concurrent.futures import ThreadPoolExecutor
from functools import cache

import keras
import numpy as np
import pytest
from keras import layers

from digits.checkpoints import recognizer
from digits.explanations.attribution import METHODS, ExportedModel, KerasModel, explain, normalise
from tests.checkpoints.test_layer_graph import BODIES, answers, functional, make
from tests.explanations.attribution.models import (
    SHIPPED,
    WITH_LAYER,
    WITHOUT_TENSORFLOW,
    close,
    export_of,
    logits_model,
    model_called,
    opened,
    quickly,
    resized,
)


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
