"""Any model can be explained, through Keras or through its export, and what can't be is refused."""

import os
from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import layers, ops

from digits.checkpoints import recognizer
from digits.explanations.attribution import (
    METHODS,
    ExportedModel,
    KerasModel,
    choose_layer,
    default_method,
    explain,
    is_quick,
    open_model,
    working_methods,
)
from tests.checkpoints.test_layer_graph import BODIES, ENDINGS, EXPECTED, answers, convolution, functional, make
from tests.explanations.attribution.models import (
    SHIPPED,
    WITH_LAYER,
    close,
    export_of,
    model_called,
    opened,
    quickly,
    seen,
)

ON_INK = [name for name in METHODS if name not in WITH_LAYER]


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
    expected = "relu, pool$" if method in WITH_LAYER else "explains the ink, not a layer"
    with pytest.raises(ValueError, match=expected):
        explain(opened("depthwise"), images, method, layer="dense" if method in WITH_LAYER else "relu")


@pytest.mark.parametrize(
    "name", ["digits_8x8_logistic", "mnist_linear_svm", "mnist_logistic", "mnist_mlp", "mnist_random_forest"]
)
def test_model_without_a_layer_names_the_methods_that_then_work(name, images):
    recogniser = recognizer.load(name)
    has = "it isn't a network" if name == "mnist_random_forest" else "it has .*logits"
    with pytest.raises(ValueError, match=f"convolution, and {name} has none .{has}") as raised:
        explain(ExportedModel(recogniser), images, "grad_cam")
    named = str(raised.value).split("work on it: ")[1].split(", ")
    assert named == (["occlusion", "rise"] if name == "mnist_random_forest" else ON_INK)
    for method in named:
        found = quickly(open_model(recogniser, method), images[:1], method)
        assert np.isfinite(found.raw).all()
        assert found.layer is None
        assert found.has_evidence.any()


@pytest.mark.parametrize(("method", "layer"), [("saliency", None), ("grad_cam", "relu_2"), ("score_cam", "relu_2")])
def test_tensorflow_is_taken_for_another_layer_or_the_inks_gradient(method, layer, images):
    model = open_model(recognizer.load("mnist_cnn"), method, layer)
    assert isinstance(model, KerasModel)
    found = quickly(model, images, method, layer=layer)
    assert found.layer == layer
    close(found.raw, quickly(opened("mnist_cnn"), images, method, layer=layer).raw, 1e-5)


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


def test_checkpoint_that_was_trained_on_is_opened_anew(images, tmp_path):
    recogniser = replace(recognizer.load("mnist_cnn"), network=tmp_path / "mine.keras")
    model = keras.models.clone_model(model_called("mnist_cnn"))
    maps = []
    for seconds, scale in enumerate((1, 2)):
        model.set_weights([scale * weight for weight in model_called("mnist_cnn").get_weights()])
        model.save(recogniser.network)
        # A clock too coarse to tell the two files apart would make this test fail by chance.
        os.utime(recogniser.network, (seconds, seconds))
        maps.append(explain(open_model(recogniser, "saliency"), images, "saliency").raw)
    assert not np.allclose(*maps)


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
