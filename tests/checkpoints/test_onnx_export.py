"""ONNX exports: files that answer as their Keras models do, and say what explanations need."""

import sys

import keras
import numpy as np
import pytest
from scipy.special import softmax

from digits.checkpoints import layer_graph, onnx_export, recognizer
from digits.images import to_input
from digits.training import architectures
from tests.checkpoints.test_layer_graph import EXPECTED, answers, convolution, functional, make


def exported(model: keras.Model, tmp_path, some_digits) -> recognizer.Recognizer:
    """The export of a model, opened as a trusted one is."""
    path = tmp_path / "export.onnx"
    onnx_export.export(model, path, some_digits.images[:10])
    return recognizer.from_export("export", path, {}, path)


@pytest.fixture
def ink(some_digits) -> np.ndarray:
    """Digits that no export has seen."""
    return to_input(some_digits.images[10:30])


@pytest.mark.parametrize("name", architectures.ARCHITECTURES)
def test_architectures_keep_the_contract_and_have_equal_exports(name, tmp_path, some_digits):
    model = architectures.ARCHITECTURES[name]()
    assert model.input_shape == (None, 28, 28, 1)
    assert [layer.name for layer in model.layers[-2:]] == ["logits", "probabilities"]
    assert model.count_params() <= 500_000
    path = tmp_path / f"{name}.keras"
    difference = onnx_export.save(model, path, some_digits.images[:200])
    assert difference <= 1e-5

    # The file opens without the project's code, and its export agrees on digits that it was not checked on.
    reopened = keras.saving.load_model(path)
    expected = reopened.predict(to_input(some_digits.images[200:]), verbose=0)
    answers = recognizer.from_checkpoint(name, path, {}).predict_proba(some_digits.images[200:])
    np.testing.assert_allclose(answers, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("body", "ending"),
    [
        ("flatten", "logits"),
        ("pooling", "fused_softmax"),
        ("two_dense", "softmax_layer"),
        ("functional_in_functional", "sigmoid"),
        ("sequential_in_functional", "log_softmax"),
        ("functional_in_sequential", "softmax_operation"),
    ],
)
def test_outputs_mean_what_export_says(body, ending, tmp_path, some_digits, ink):
    model, plain = make(body, ending), make(body, "logits")
    recogniser = exported(model, tmp_path, some_digits)
    logits = answers(plain, ink)
    # Behind sigmoids, probabilities are proportional to the odds, which is what the softmax of the logits gives.
    expected = answers(model, ink) if "softmax" in ending and ending != "log_softmax" else softmax(logits, axis=1)
    output = dict(zip(recogniser.outputs, recogniser.run(ink, *recogniser.outputs), strict=True))
    np.testing.assert_allclose(output["probabilities"], expected, atol=1e-5)
    np.testing.assert_allclose(output["logits"], logits, rtol=1e-4, atol=1e-4)
    kernel, bias = plain.layers[-1].get_weights()
    np.testing.assert_allclose(output["features"] @ kernel + bias, logits, rtol=1e-4, atol=1e-4)
    feature_layer, convolutions, head_shape = EXPECTED[body]
    assert recogniser.metadata["feature_layer"] == feature_layer
    assert set(convolutions) <= set(recogniser.metadata["layers"].split())
    assert recogniser.metadata["layers"].split() == list(layer_graph.analyse(model).layers)
    assert set(output) - {"head"} == {"probabilities", "logits", "features", "feature_map"}
    assert ("head" in output) == (head_shape is not None)
    if head_shape:
        head = np.broadcast_to(output["head"], (*output["feature_map"].shape[1:], 10))
        from_map = np.einsum("nhwc,hwck->nk", output["feature_map"], head) + bias
        np.testing.assert_allclose(from_map, logits, rtol=1e-4, atol=1e-4)


WITHOUT = {
    "convolutions": ([keras.layers.Flatten(), keras.layers.Dense(10)], {"features"}),
    "dense end": ([convolution("first"), keras.layers.Conv2D(10, 8), keras.layers.Flatten()], {"feature_map"}),
}


@pytest.mark.parametrize(("calls", "more"), WITHOUT.values(), ids=WITHOUT)
def test_export_leaves_out_what_the_model_does_not_have(calls, more, tmp_path, some_digits):
    recogniser = exported(functional(*calls), tmp_path, some_digits)
    assert set(recogniser.outputs) == {"probabilities", "logits"} | more
    assert ("feature_layer" in recogniser.metadata) == ("feature_map" in more)


@pytest.mark.parametrize("place", ["input", "output"])
def test_input_or_output_may_stand_in_a_list(place, tmp_path, some_digits, ink):
    plain = make("flatten")
    given, answer = plain.inputs, plain.outputs
    model = keras.Model(given, answer[0]) if place == "input" else keras.Model(given[0], answer)
    (probabilities,) = exported(model, tmp_path, some_digits).run(ink, "probabilities")
    np.testing.assert_allclose(probabilities, answers(plain, ink), atol=1e-5)


def test_model_of_another_shape_is_refused(tmp_path, some_digits):
    model = functional(keras.layers.Flatten(), keras.layers.Dense(2), shape=(32, 32, 3))
    with pytest.raises(ValueError, match=r"expected a model from \(28, 28, 1\) to several classes, got \(32, 32, 3\)"):
        onnx_export.export(model, tmp_path / "x.onnx", some_digits.images[:10])
    assert not list(tmp_path.iterdir())


def test_export_that_differs_is_refused_and_not_kept(tmp_path, some_digits, monkeypatch):
    monkeypatch.setattr(onnx_export, "TOLERANCE", -1.0)
    with pytest.raises(ValueError, match="differs by"):
        onnx_export.export(architectures.mlp(), tmp_path / "mlp.onnx", some_digits.images[:10])
    assert not list(tmp_path.iterdir())


def test_model_of_other_than_ten_classes_is_refused(tmp_path, some_digits):
    model = functional(keras.layers.Flatten(), keras.layers.Dense(9))
    with pytest.raises(ValueError, match="expected a model of ten classes, got 9"):
        exported(model, tmp_path, some_digits)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limits on a process")
def test_disk_that_fills_up_during_a_save_is_an_os_error_and_harmless(tmp_path, some_digits):
    """A limit on the file size stands in for the full disk: the write itself fails half-way."""
    import resource

    path, model = tmp_path / "model.keras", architectures.mlp()
    path.write_bytes(b"the earlier model")
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, unlimited[1]))
    try:
        with pytest.raises(OSError, match=r"\w"):
            onnx_export.save(model, path, some_digits.images[:1])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    assert path.read_bytes() == b"the earlier model"
    assert [file.name for file in tmp_path.iterdir()] == ["model.keras"]
