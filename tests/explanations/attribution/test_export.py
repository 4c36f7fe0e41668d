"""The ONNX export explains without TensorFlow, as Keras does, and says what it can't."""

import subprocess
import sys
from dataclasses import replace

import pytest

from digits import paths
from digits.checkpoints import recognizer
from digits.explanations.attribution import ExportedModel, explain, is_quick, open_model, working_methods
from tests.explanations.attribution.models import QUICK, SHIPPED, WITHOUT_TENSORFLOW, close, export_of, opened, quickly


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


@pytest.mark.parametrize("name", sorted(path.stem for path in paths.MODELS.glob("*.json")))
def test_quick_methods_are_those_that_a_lone_export_can_do(name, images):
    """Asked of each method that works on the model, and tried on a recogniser without its Keras file."""
    recogniser = recognizer.load(name)
    export = ExportedModel(recogniser)
    lone = replace(recogniser, network=None)
    for method in working_methods(export):
        if is_quick(export, method):
            assert explain(open_model(lone, method), images[:1], method, **QUICK.get(method, {})).heat.shape == (
                1,
                28,
                28,
            )
        else:
            with pytest.raises(ValueError, match="needs a gradient"):
                open_model(lone, method)


def test_export_says_what_can_give_the_gradient_that_it_lacks(images):
    with pytest.raises(ValueError, match="explain mnist_cnn as a KerasModel"):
        explain(export_of("mnist_cnn"), images, "saliency")


@pytest.mark.parametrize(("method", "layer"), [("saliency", None), ("grad_cam", "relu_2"), ("score_cam", "relu_2")])
def test_export_alone_says_what_it_lacks(method, layer):
    lone = recognizer.load(paths.MODELS / "mnist_cnn.onnx")
    with pytest.raises(ValueError, match=layer or f"needs a gradient.*: {', '.join(WITHOUT_TENSORFLOW)}"):
        open_model(lone, method, layer)
