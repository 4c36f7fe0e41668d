"""Models without a card that confirms them: opened as their authors meant them, or refused in a sentence."""

import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers
from scipy.special import softmax

from digits import paths
from digits.checkpoints import recognizer, strangers
from digits.images import to_input
from digits.jobs import subprocesses
from digits.untrusted import confinement, onnx_rules
from tests.checkpoints.onnx_files import HOSTILE, linear
from tests.support import assert_one_line_error
from tests.untrusted.keras_files import layer, sequential, with_config

# By ONNX Runtime, which has less memory and time for it than it asks.
SEEN_WHEN_IT_RUNS = {"slow", "3 GB of zeros", "two inputs", "not a number", "opset of the future"}
LAMBDA = layer(
    "Lambda",
    function={
        "module": "keras.visualization",
        "class_name": "function",
        "config": "plot_image_gallery",
        "registered_name": "plot_image_gallery",
    },
    arguments={"path": "written.png"},
)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    """An empty cache, also of refusals."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(strangers, "_refusals", {})
    return tmp_path / "cache" / "digit-workbench"


@pytest.fixture
def no_child(monkeypatch) -> None:
    monkeypatch.setattr(subprocesses, "run_python", lambda *_, **__: pytest.fail("a child was started"))


def sentence(path: Path) -> str:
    with pytest.raises(ValueError, match=r"\w") as raised:
        recognizer.load(path)
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.fixture(scope="module")
def trained(splits) -> keras.Model:
    """A model as beginners save it: no channel, values from 0 to 255, layers for training, half precision."""
    model = keras.Sequential([
        keras.Input((28, 28)),
        layers.Reshape((28, 28, 1)),
        keras.Sequential([layers.RandomRotation(0.02), layers.RandomZoom(0.02), layers.GaussianNoise(1.0)]),
        layers.Normalization(mean=33.3, variance=78.6**2),
        layers.Conv2D(8, 3, 2, activation="gelu", kernel_regularizer="l2", kernel_constraint="max_norm"),
        layers.BatchNormalization(),
        layers.SeparableConv2D(12, 3, activation=layers.LeakyReLU()),
        layers.Flatten(),
        layers.Dropout(0.2, seed=1),
        layers.Dense(10, dtype="mixed_bfloat16"),
    ])  # fmt: skip
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.003), loss)
    few = splits.train.first(3000)
    model.fit(few.images.astype(np.float32), few.labels, batch_size=64, epochs=2, verbose=0)
    return model


@pytest.mark.parametrize("suffix", [".KERAS", ".h5"])
def test_beginners_model_answers_as_in_keras(suffix, trained, tmp_path, some_digits, caplog):
    path = tmp_path / f"mine{suffix}"
    trained.save(path.with_suffix(suffix.lower()))
    path.with_suffix(suffix.lower()).rename(path)
    opened = recognizer.load(path)
    pixels = some_digits.images[:200].astype(np.float32)
    expected = softmax(trained.predict(pixels, verbose=0).astype(np.float32), axis=1)
    # The last layer computed in bfloat16, the copy computes in float32.
    np.testing.assert_allclose(opened.predict_proba(some_digits.images[:200]), expected, atol=0.03)
    assert "it gets digits as 0 to 255: of 100 known digits it reads" in caplog.text
    # Explanations and fine-tuning get the checked copy, which takes ink and ends as our own models do.
    assert opened.network != path
    copy = keras.saving.load_model(opened.network, compile=False)
    assert [each.name for each in copy.layers[-2:]] == ["logits", "probabilities"]
    answers = copy.predict(to_input(some_digits.images[:200]), verbose=0)
    np.testing.assert_allclose(answers, opened.predict_proba(some_digits.images[:200]), atol=1e-5)


@pytest.mark.parametrize("name", ["other.keras", "mnist_cnn.KERAS", "mnist_cnn.h5", "mnist_cnn.npz"])
def test_a_card_vouches_for_the_files_that_it_names_alone(name, tmp_path, monkeypatch):
    for suffix in (".keras", ".onnx", ".json"):
        shutil.copy(paths.MODELS / f"mnist_cnn{suffix}", tmp_path)
    shutil.copy(tmp_path / "mnist_cnn.keras", tmp_path / name)

    def confined(*_):
        raise ValueError("it went to the confined process")

    monkeypatch.setattr(strangers, "_open_confined", confined)
    assert "it went to the confined process" in sentence(tmp_path / name)
    assert recognizer.load(tmp_path / "mnist_cnn.keras").card


def test_onnx_of_other_names_and_axes_is_read(tmp_path, some_digits, caplog):
    path = tmp_path / "mine.onnx"
    path.write_bytes(linear(shape=(1, 1, 28, 28), scale=1 / 255).SerializeToString())
    opened = recognizer.load(path)
    expected = recognizer.load("mnist_logistic")
    np.testing.assert_allclose(
        opened.predict_proba(some_digits.images[:150]), expected.predict_proba(some_digits.images[:150]), atol=1e-5
    )
    assert "it gets digits as 0 to 255" in caplog.text
    assert opened.network is None


@pytest.mark.parametrize("kind", sorted(set(HOSTILE) - SEEN_WHEN_IT_RUNS))
def test_hostile_graph_is_refused_before_it_runs(kind):
    make, reason = HOSTILE[kind]
    with pytest.raises(ValueError, match=reason):
        onnx_rules.check(make().SerializeToString())


def test_refusal_is_remembered_by_content(tmp_path, monkeypatch):
    (tmp_path / "odd.onnx").write_bytes(HOSTILE["not a number"][0]().SerializeToString())
    said = sentence(tmp_path / "odd.onnx")
    assert "its answers aren't finite numbers" in said
    monkeypatch.setattr(subprocesses, "run_python", lambda *_, **__: pytest.fail("a child was started"))
    shutil.copy(tmp_path / "odd.onnx", tmp_path / "same.onnx")
    assert sentence(tmp_path / "same.onnx") == said.replace("odd", "same")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("model.tflite", "python -m tf2onnx.convert --tflite"),
        ("model.pth", "torch.onnx.export("),
        ("model.PT", "torch.onnx.export("),
        ("model.pkl", "skops.io.dump"),
        ("saved/saved_model.pb", "python -m tf2onnx.convert --saved-model"),
        ("saved", "python -m tf2onnx.convert --saved-model"),
        ("model.txt", "isn't a model file that can be read: expected one of .keras, .h5"),
        ("model", "isn't a model file that can be read"),
    ],
)
def test_file_of_another_kind_gets_the_command_that_converts_it(name, words, tmp_path, no_child):
    path = tmp_path / name
    (path if name == "saved" else path.parent).mkdir(exist_ok=True)
    (path / "saved_model.pb" if name == "saved" else path).write_bytes(b"something")
    assert words in sentence(path)


@pytest.mark.parametrize(("size", "words"), [(0, "is empty"), (confinement.FILE_BYTES + 1, "the limit")])
@pytest.mark.parametrize("suffix", [".keras", ".h5", ".onnx", ".skops", ".npz"])
def test_size_is_looked_at_first(size, words, suffix, tmp_path, no_child):
    with (tmp_path / f"mine{suffix}").open("wb") as file:
        file.truncate(size)
    assert words in sentence(tmp_path / f"mine{suffix}")


def test_upload_leaves_nothing(tmp_path, cache, monkeypatch, some_digits):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    content = (paths.MODELS / "mnist_random_forest.npz").read_bytes()
    opened = recognizer.load_upload(content, "../../my <b>forest</b>.npz")
    assert (opened.name, opened.card, opened.network) == ("b", {}, None)
    expected = recognizer.load("mnist_random_forest").predict_proba(some_digits.images)
    np.testing.assert_allclose(opened.predict_proba(some_digits.images), expected, atol=1e-6)
    with pytest.raises(ValueError, match="the file can't be used") as raised:
        recognizer.load_upload(b"not a model", "evil.onnx")
    assert str(tmp_path) not in str(raised.value)
    assert list(temporary.iterdir()) == []
    assert not cache.exists()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("my model.keras", "my_model"),
        ("../../etc/passwd", "passwd"),
        (r"C:\Users\me\net.v2.keras", "net.v2"),
        ("<script>alert(1)</script>.keras", "script"),
        ("числа-5.h5", "числа-5"),
        ("\u202egnp.keras", "gnp"),
        ("..keras", "model"),
        ("../.keras", "model"),
        ("", "model"),
        ("a" * 300, "a" * 40),
    ],
)
def test_name_is_cleaned(name, expected):
    assert recognizer.clean_name(name) == expected


DOORS = {
    "predict": ["--model", "{}", "--samples", "1"],
    "evaluate": ["--models", "{}"],
    "evaluate_robustness": ["--models", "{}", "--quick"],
    "visualize_features": ["--models", "{}"],
    "finetune_on_custom": ["--base", "{}"],
    "collect_digits": ["--import", ".", "--model", "{}"],
}


@pytest.mark.parametrize("door", [*DOORS, "library"])
def test_no_door_gives_a_strangers_file_to_keras(door, tmp_path, run_script, monkeypatch):
    """The function that `LAMBDA` names would write a file when Keras opens the model, also in its safe mode."""
    monkeypatch.setattr(keras.saving, "load_model", lambda *_, **__: pytest.fail("Keras got the file"))
    (tmp_path / "0").mkdir()
    shutil.copy(next((paths.MY_DIGITS / "sample").rglob("*.png")), tmp_path / "0")
    path = tmp_path / "evil.keras"
    path.write_bytes(with_config(sequential(LAMBDA, layer("Flatten"), layer("Dense", units=10))))
    if door == "library":
        assert "the layer 'Lambda' isn't supported" in sentence(path)
    else:
        process = run_script(door, *(each.format(path) for each in DOORS[door]), check=False)
        assert_one_line_error(process, "evil.keras can't be used", "Lambda")
    assert not list(tmp_path.rglob("written*"))


@pytest.mark.parametrize("path", sorted(paths.MODELS.glob("mnist_*.keras")), ids=lambda path: path.stem)
def test_shipped_models_pass_the_checks(path):
    from digits import untrusted

    assert untrusted.check_keras(path.read_bytes()).shape == (28, 28, 1)
