"""A stranger's file is data: what is honest is admitted, what is hostile is refused before Keras sees it."""

import io
import json
import os
import struct
import subprocess
import sys
import tempfile
import threading
import tracemalloc
import warnings
import zipfile
from contextlib import suppress
from pathlib import Path

import h5py
import numpy as np
import pytest

from digits import paths, untrusted
from digits.checkpoints import recognizer
from digits.untrusted import archive, config_copy, layer_rules, size_limits
from tests.support import wait_until

CNN = (paths.MODELS / "mnist_cnn.keras").read_bytes()
NAMES = ("config.json", "metadata.json", "model.weights.h5")

# Keras makes what people bring, in a process of its own: a tutorial's model, called on a batch before it had an input,
# trained a little; and, as the oracle of `layer_rules`, each layer's config with the shape and the weights it has.
KERAS = """
import json, sys
import keras, numpy as np
from keras import layers as L
rng = np.random.default_rng(0)
ink, labels = rng.random((32, 28, 28, 1), np.float32), np.arange(32) % 10
model = keras.Sequential([
    keras.Sequential([L.RandomRotation(0.1, fill_mode="constant"), L.RandomZoom(0.1)]), L.Rescaling(1.0),
    L.Conv2D(8, 3, activation="relu", kernel_regularizer="l2", kernel_constraint="max_norm"), L.BatchNormalization(),
    L.MaxPooling2D(), L.SeparableConv2D(12, 3, activation=L.LeakyReLU()), L.PReLU(shared_axes=[1, 2]),
    L.SpatialDropout2D(0.1), L.Flatten(), L.Dropout(0.5, seed=1), L.Dense(10, activation="softmax")])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(ink, labels, verbose=0)
model.save("tutorial.keras")
np.savez("tutorial.npz", ink=ink, probabilities=model.predict(ink, verbose=0))

image, row = (9, 8, 6), (30,)
cases = [(layer, [image]) for layer in (
    L.InputLayer(image), L.Dense(7, use_bias=False), L.Conv2D(5, 3), L.Conv2D(5, (2, 3), (2, 1), padding="same"),
    L.Conv2D(5, 3, dilation_rate=2, use_bias=False), L.DepthwiseConv2D(3, depth_multiplier=2),
    L.SeparableConv2D(5, 3, 2, depth_multiplier=3), L.Conv2DTranspose(5, 3, 2), L.Conv2DTranspose(5, 2, 3),
    L.Conv2DTranspose(5, 3, 2, padding="same"), L.Conv2DTranspose(5, 3, dilation_rate=2), L.MaxPooling2D(),
    L.AveragePooling2D(3, 2, padding="same"), L.MaxPooling2D((2, 3), (3, 1)), L.GlobalMaxPooling2D(),
    L.GlobalAveragePooling2D(keepdims=True), L.BatchNormalization(), L.BatchNormalization(axis=3, scale=False),
    L.LayerNormalization(), L.LayerNormalization(center=False), L.GroupNormalization(3), L.UnitNormalization(),
    L.Activation("mish"), L.ReLU(6), L.LeakyReLU(0.2), L.PReLU(), L.PReLU(shared_axes=[1, 2]), L.ELU(), L.Softmax(),
    L.Flatten(), L.Reshape((18, -1)), L.Reshape((24, 3, 6)), L.Permute((3, 1, 2)), L.ZeroPadding2D(),
    L.ZeroPadding2D(((1, 2), (3, 4))), L.Cropping2D(2), L.Cropping2D(((1, 2), (3, 0))), L.UpSampling2D((2, 3)),
    L.Rescaling(2.0, 1.0), L.Identity(), L.Dropout(0.1), L.SpatialDropout2D(0.1), L.AlphaDropout(0.1),
    L.GaussianDropout(0.1), L.GaussianNoise(0.1), L.ActivityRegularization(0.1), L.RandomFlip(), L.RandomRotation(0.1),
    L.RandomTranslation(0.1, 0.1), L.RandomZoom(0.1), L.RandomContrast(0.1))]
cases += [(L.Dense(4), [row]), (L.BatchNormalization(), [row]), (L.Reshape((5, 6, 1)), [row])]
cases += [(kind(), [image, image]) for kind in (L.Add, L.Subtract, L.Multiply, L.Average, L.Maximum, L.Minimum)]
cases += [(L.Multiply(), [image, (1, 1, 6)]), (L.Concatenate(), [image, (9, 8, 2)]), (L.Concatenate(1), [image, image])]
told = []
for layer, shapes in cases:
    tensors = [keras.Input(shape) for shape in shapes]
    output = layer(tensors if len(tensors) > 1 else tensors[0]) if type(layer) is not L.InputLayer else tensors[0]
    told.append([keras.saving.serialize_keras_object(layer), shapes, output.shape[1:], layer.count_params()])
json.dump(told, open("layers.json", "w"))
"""


@pytest.fixture(scope="module")
def from_keras(tmp_path_factory) -> Path:
    """A folder with what Keras makes: a tutorial's model with its answers, and layers with their shapes."""
    folder = tmp_path_factory.mktemp("keras")
    subprocess.run([sys.executable, "-c", KERAS], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def temporary(tmp_path, monkeypatch) -> Path:
    """The folder for temporary files, for this test alone."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def no_child(monkeypatch):
    """Starting a process fails the test."""

    def fail(*_, **__):
        pytest.fail("a child was started")

    monkeypatch.setattr(subprocess, "Popen", fail)


def members_of(content: bytes = CNN) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        return {name: file.read(name) for name in file.namelist()}


def zipped(members: dict[str, bytes] | list, **options) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", **options) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of duplicate names
        for name, content in members.items() if isinstance(members, dict) else members:
            file.writestr(name, content)
    return buffer.getvalue()


def with_config(config: object) -> bytes:
    content = config if isinstance(config, bytes) else json.dumps(config).encode()
    return zipped(members_of() | {"config.json": content})


def cnn_config() -> dict:
    return json.loads(members_of()["config.json"])


def edited(change) -> bytes:
    """The CNN after `change(layers by their names, whole config)`."""
    config = cnn_config()
    change({layer["name"]: layer for layer in config["config"]["layers"]}, config)
    return with_config(config)


def with_weights(change) -> bytes:
    """The CNN after `change(HDF5 file)`."""
    members = members_of()
    buffer = io.BytesIO(members["model.weights.h5"])
    with h5py.File(buffer, "a") as file:
        change(file)
    return zipped(members | {"model.weights.h5": buffer.getvalue()})


def layer(kind: str, module: str = "keras.layers", registered: str | None = None, **config) -> dict:
    config = {"name": f"its_{kind.lower()}", "dtype": "float32"} | config
    return {"module": module, "class_name": kind, "config": config, "registered_name": registered}


def sequential(*layers: dict, shape: tuple = (28, 28, 1)) -> dict:
    """A model's config, its layers named in order."""
    layers = [layer("InputLayer", batch_shape=[None, *shape]), *json.loads(json.dumps(layers))]
    for number, each in enumerate(layers):
        each["config"]["name"] = f"layer_{number}"
    return layer("Sequential", "keras", layers=layers)


FLATTEN, ANSWER = layer("Flatten"), layer("Dense", units=10, activation="softmax")
CONVOLUTION = {"kernel_size": [3, 3], "strides": [1, 1], "padding": "same"}


def convolution(filters: int, **config) -> dict:
    return layer("Conv2D", filters=filters, **CONVOLUTION | config)


# What is honest


def test_shipped_model_answers_as_it_does_when_loaded(some_digits, temporary):
    admitted, loaded = untrusted.admit(CNN, "../../mnist cnn.keras"), recognizer.load("mnist_cnn")
    # Its twin is made anew, on a processor that may fold constants otherwise than the one that made the shipped twin.
    np.testing.assert_allclose(
        admitted.predict_proba(some_digits.images), loaded.predict_proba(some_digits.images), atol=1e-6
    )
    assert (admitted.name, admitted.path, admitted.card) == ("mnist_cnn", Path("mnist_cnn.onnx"), {})
    assert admitted.outputs == loaded.outputs
    assert admitted.metadata == loaded.metadata
    assert list(temporary.iterdir()) == []
    assert not admitted.path.exists()


def test_tutorial_model_answers_as_in_keras(from_keras, temporary):
    """With its augmentation, its optimiser, a batch for its input, and layers as activations."""
    admitted = untrusted.admit((from_keras / "tutorial.keras").read_bytes(), "tutorial.keras")
    told = np.load(from_keras / "tutorial.npz")
    np.testing.assert_allclose(admitted.run(told["ink"], "probabilities")[0], told["probabilities"], atol=1e-5)
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("path", sorted(paths.MODELS.glob("*.keras")), ids=lambda path: path.stem)
def test_all_shipped_models_pass_what_is_checked_before_the_conversion(path, tmp_path):
    members = archive.unpack(path.read_bytes())
    weights = size_limits.measure(config_copy.copy(members["config.json"]))
    with h5py.File(io.BytesIO(members["model.weights.h5"])) as file:
        sizes = []
        file["layers"].visititems(lambda _, item: sizes.append(getattr(item, "size", 0)))
    assert weights == sum(sizes)
    archive.pack(members, tmp_path / "model.keras")
    archive.check_weights(tmp_path / "model.keras", weights)


def test_layer_rules_say_what_keras_says(from_keras):
    kinds = set()
    for number, (entry, shapes, expected, weights) in enumerate(json.loads((from_keras / "layers.json").read_text())):
        copied = config_copy.copy(
            json.dumps(
                layer(
                    "Sequential",
                    "keras",
                    layers=[
                        *([] if entry["class_name"] == "InputLayer" else [layer("InputLayer", batch_shape=[None, 1])]),
                        entry,
                    ],
                )
            ).encode()
        )["config"]["layers"][-1]
        rule, _ = (layer_rules.LAYERS | layer_rules.MERGING)[copied["class_name"]]
        shapes = [tuple(shape) for shape in shapes]
        given = shapes if copied["class_name"] in layer_rules.MERGING else shapes[0]
        assert rule(copied["config"], given) == (tuple(expected), weights), (number, entry["class_name"])
        kinds.add(entry["class_name"])
    assert kinds == {*layer_rules.LAYERS, *layer_rules.MERGING, *layer_rules.IDENTITIES}


def test_recompressed_file_is_still_admissible():
    assert archive.unpack(zipped(members_of(), compression=zipfile.ZIP_DEFLATED)) == members_of()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("my model.keras", "my_model"),
        ("../../etc/passwd", "passwd"),
        (r"C:\Users\me\net.v2.keras", "net.v2"),
        ("<script>alert(1)</script>.keras", "script"),
        ("числа-5.keras", "числа-5"),
        ("\u202egnp.keras", "gnp"),
        ("..keras", "model"),
        ("../.keras", "model"),
        ("", "model"),
        ("a" * 300, "a" * 40),
    ],
)
def test_name_is_cleaned(name, expected):
    assert untrusted.clean(name) == expected


# The zip


def lying_size(declared: int) -> bytes:
    """The CNN's zip with another size of config.json in its list of members and before the member itself."""
    content = bytearray(zipped({name: members_of()[name] for name in NAMES}, compression=zipfile.ZIP_DEFLATED))
    for signature, offset, name_at in ((b"PK\3\4", 22, 30), (b"PK\1\2", 24, 46)):
        start = content.index(signature)
        assert content[start + name_at : start + name_at + 11] == b"config.json"
        content[start + offset : start + offset + 4] = struct.pack("<I", declared)
    return bytes(content)


def many_members() -> bytes:
    entry = struct.pack("<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    directory = entry * 400_000
    return b"PK\3\4" + directory + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, len(directory), 4, 0)


def encrypted() -> bytes:
    content = bytearray(zipped(members_of()))
    content[content.index(b"PK\1\2") + 8] |= 1
    return bytes(content)


def link() -> bytes:
    entry = zipfile.ZipInfo("metadata.json")
    entry.external_attr = 0o120777 << 16
    members = members_of()
    return zipped([("config.json", members["config.json"]), (entry, b"/etc/passwd"), ("model.weights.h5", b"")])


def with_member(name: str, content: bytes = b"x") -> bytes:
    return zipped([*members_of().items(), (name, content)])


def without(name: str) -> bytes:
    return zipped({key: value for key, value in members_of().items() if key != name})


ZIPS = {
    "empty": (lambda: b"", "the file is empty"),
    "PNG": (lambda: b"\x89PNG\r\n\x1a\n" + bytes(100), "isn't a `.keras` file, which is a zip"),
    "pickle": (lambda: b"\x80\x04cos\nsystem\n(S'true'\ntR.", "which is a zip"),
    # CVE-2025-9905: in this format Keras heeds no safe mode.
    "HDF5": (lambda: members_of()["model.weights.h5"], "older format, HDF5"),
    "too large": (lambda: b"PK\3\4" + bytes(archive.FILE_BYTES), "at most 30 can be admitted"),
    "truncated": (lambda: CNN[: len(CNN) // 2], "isn't whole"),
    "end alone": (lambda: b"PK\3\4" + CNN[-22:], "can't be unzipped"),
    "damaged": (lambda: CNN[:1000] + b"damage" + CNN[1006:], "can't be unzipped"),
    "with a comment": (lambda: CNN[:-2] + b"\5\0hello", "isn't whole"),
    "missing config": (lambda: without("config.json"), "has no config.json"),
    "missing weights": (lambda: without("model.weights.h5"), "has no model.weights.h5"),
    "only a text": (lambda: zipped({"readme.txt": b"hello"}), "holds 'readme.txt' too"),
    "duplicate": (lambda: with_member("config.json", members_of()["config.json"]), "holds 'config.json' too"),
    "absolute path": (lambda: with_member("/etc/cron.d/evil"), "/etc/cron.d/evil"),
    "path upwards": (lambda: with_member("../config.json"), "../config.json"),
    "folder": (lambda: with_member("assets/", b""), "assets/"),
    "vocabulary": (lambda: with_member("assets/vocabulary.txt"), "assets/vocabulary.txt"),
    "weights of another format": (lambda: with_member("model.weights.npz"), "model.weights.npz"),
    "link": (link, "encrypted or a link"),
    "encrypted": (encrypted, "encrypted or a link"),
    "LZMA": (lambda: zipped(members_of(), compression=zipfile.ZIP_LZMA), "a way that Keras doesn't use"),
    "size that lies low": (lambda: lying_size(100), "damaged"),
    "size that lies high": (lambda: lying_size(900_000), "damaged"),
    "size that lies very high": (lambda: lying_size(2**31), "larger than 1 MB"),
    "a list of 400,000 members": (many_members, "too many members"),
}


@pytest.mark.parametrize("case", ZIPS)
def test_odd_zip_is_refused_in_a_sentence(case, no_child):
    make, reason = ZIPS[case]
    content = make()
    tracemalloc.start()
    with pytest.raises(ValueError, match=reason.replace("(", r"\(")) as raised:
        untrusted.admit(content, "model.keras")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000_000
    assert len(str(raised.value)) < 200
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("member", "megabytes"), [("config.json", 700), ("metadata.json", 50), ("model.weights.h5", 300)]
)
@pytest.mark.parametrize("lie", [False, True])
def test_bomb_is_refused_without_inflating_it(member, megabytes, lie, no_child):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        for name, content in members_of().items():
            with file.open(name, "w") as target:
                for _ in range(megabytes if name == member else 0):
                    target.write(bytes(1_000_000))
                target.write(content if name != member else b"")
    content = bytearray(buffer.getvalue())
    if lie:
        size = struct.pack("<I", megabytes * 1_000_000)
        assert content.count(size) >= 1
        content = content.replace(size, struct.pack("<I", 5_000))
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"larger than|damaged"):
        untrusted.admit(bytes(content), "bomb.keras")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 * len(content) + 2_000_000


# The config


def lambda_layer(function: dict, **arguments) -> dict:
    return layer("Lambda", function=function, arguments=arguments, output_shape=None, mask=None)


def function(module: str, name: str) -> dict:
    return {"module": module, "class_name": "function", "config": name, "registered_name": name}


# Ways around Keras's safe mode that were published, as the layer or as what a layer is made of.
BYPASSES = {
    "CVE-2024-3660, bytecode in a Lambda": lambda_layer({"class_name": "__lambda__", "config": {"value": "4wAAAAA="}}),
    "CVE-2025-1550, any function of any module": function("os", "system"),
    "CVE-2025-1550, any class of any module": layer("Popen", "subprocess", args=["true"]),
    "CVE-2025-1550, a known name of another module": layer("Dense", "evil.layers", units=10),
    "CVE-2025-1550, a name that only begins like Keras": layer("Dense", "kerasevil", units=10),
    "CVE-2025-8747, a download as a Lambda": lambda_layer(function("keras.utils", "get_file"), origin="http://x.y/z"),
    "CVE-2025-9906, the safe mode switched off": function("keras.config", "enable_unsafe_deserialization"),
    "CVE-2025-9906, another file loaded": lambda_layer(function("keras.models", "load_model"), safe_mode=False),
    "CVE-2025-12058, a file read as vocabulary": layer("StringLookup", vocabulary="/etc/passwd"),
    "CVE-2025-12058, an address read as vocabulary": layer("IntegerLookup", vocabulary="http://x.y/z"),
    "CVE-2025-49655, a pickle": layer("TorchModuleWrapper", module="gASVIQ=="),
    "a SavedModel from a path": layer("TFSMLayer", filepath="/tmp/evil", call_endpoint="serve"),
    "a text vectoriser": layer("TextVectorization", vocabulary="/etc/passwd"),
    "a wrapped Lambda": layer("TimeDistributed", layer=lambda_layer(function("os", "system"))),
    "a custom layer": layer("Evil", "evil", "package>Evil"),
    "a custom layer under a known name": layer("Dense", registered="package>Dense", units=10),
    "a custom layer without a module": layer("Dense", None, "Evil", units=10),
    "an older format's layer": {"class_name": "Dense", "config": {"name": "dense", "units": 10}},
    "an operation": layer("Cast", "keras.src.ops.core", dtype="float32"),
    "a hub": layer("Backbone", "keras_hub.models"),
    "a typespec": {
        "class_name": "__typespec__",
        "spec_name": "x",
        "module": "os",
        "registered_name": "x",
        "config": [],
    },
}
# Where in a layer's config Keras would make an object from what stands there.
SLOTS = {
    "activation": "activation",
    "initialiser": "kernel_initializer",
    "regulariser": "bias_regularizer",
    "constraint": "kernel_constraint",
    "dtype policy": "dtype",
    "number": "units",
    "flag": "use_bias",
    "seed": "seed",
    "quantisation": "quantization_config",
    "a key of nobody": "evil",
    "lora": "lora_rank",
}


def refused(content: bytes) -> str:
    """Why a file isn't admitted."""
    with pytest.raises(ValueError, match=r"\w") as raised:
        untrusted.admit(content, "model.keras")
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 400
    return str(raised.value)


@pytest.mark.parametrize("bypass", BYPASSES)
def test_published_bypass_is_refused_as_a_layer(bypass, no_child):
    hostile = {"name": "evil", "config": {"name": "evil"}} | BYPASSES[bypass]
    content = with_config(
        layer(
            "Sequential",
            "keras",
            name="m",
            layers=[
                layer("InputLayer", batch_shape=[None, 28, 28, 1]),
                hostile,
                FLATTEN,
                ANSWER,
            ],
        )
    )
    assert "can't be admitted" in (reason := refused(content)) or "not from Keras" in reason


@pytest.mark.parametrize("slot", SLOTS.values(), ids=SLOTS)
@pytest.mark.parametrize("bypass", BYPASSES)
def test_published_bypass_is_refused_inside_a_layer(bypass, slot, no_child):
    refused(with_config(sequential(FLATTEN, ANSWER, ANSWER | {"config": ANSWER["config"] | {slot: BYPASSES[bypass]}})))


@pytest.mark.parametrize("bypass", BYPASSES)
def test_published_bypass_is_refused_among_a_layers_inputs(bypass, no_child):
    hostile = BYPASSES[bypass]
    refused(edited(lambda layers, _: layers["logits"]["inbound_nodes"][0]["args"].append(hostile)))
    refused(edited(lambda layers, _: layers["logits"]["inbound_nodes"][0].update(args=[hostile])))
    refused(edited(lambda layers, _: layers["logits"]["inbound_nodes"][0]["kwargs"].update(evil=hostile)))
    refused(edited(lambda _, config: config["config"].update(output_layers=[hostile])))


@pytest.mark.parametrize("bypass", BYPASSES)
def test_what_is_for_training_never_reaches_keras(bypass):
    """A compiled model's optimiser and metrics, and shapes that a file claims, are left out, whatever they are."""
    config = cnn_config()
    for entry in (config, *config["config"]["layers"]):
        entry |= {"compile_config": BYPASSES[bypass], "build_config": BYPASSES[bypass], "shared_object_id": 1}
    copied = config_copy.copy(json.dumps(config).encode())
    assert copied == config_copy.copy(members_of()["config.json"])
    assert not {"compile_config", "build_config", "shared_object_id"} & set(copied)


def modules_in(value: object) -> set:
    if isinstance(value, dict):
        return {value.get("module")}.union(*map(modules_in, value.values()))
    return set().union(*map(modules_in, value)) if isinstance(value, list) else set()


def test_copy_names_its_modules_itself():
    copied = config_copy.copy(json.dumps(cnn_config()).replace("keras.layers", "keras.evil").encode())
    assert modules_in(copied) == {"keras.layers", "keras.src.models.functional", None}


def deep(depth: int) -> bytes:
    return json.dumps(sequential(FLATTEN, ANSWER)).replace('"softmax"', "[" * depth + "]" * depth).encode()


def nested_models(depth: int) -> dict:
    model = sequential(FLATTEN, ANSWER)
    for _ in range(depth):
        model = sequential(model)
    return model


def exponential() -> dict:
    """Models in each other, each of which uses the one in it twenty times: 160,000 uses of one layer."""
    model = sequential(layer("Identity"))
    for _ in range(4):
        model = {**model, "name": "inner", "config": model["config"] | {"name": "inner"}}
        sources = [["ink", 0, 0], *(["inner", use, 0] for use in range(20))]
        tensors = [{"class_name": "__keras_tensor__", "config": {"keras_history": source}} for source in sources]
        model["inbound_nodes"] = [{"args": [tensor], "kwargs": {}} for tensor in tensors[:-1]]
        ink = layer("InputLayer", batch_shape=[None, 28, 28, 1]) | {"inbound_nodes": []}
        ink["config"]["name"] = "ink"
        ends = {"input_layers": [sources[0]], "output_layers": [sources[-1]]}
        model = layer("Functional", "keras", layers=[ink, model], **ends)
    return model


def loop(layers: dict, _: dict) -> None:
    layers["convolution_2"]["inbound_nodes"][0]["args"][0]["config"]["keras_history"] = ["logits", 0, 0]


def with_number(number: str) -> bytes:
    model = sequential(layer("Rescaling", scale=1, offset=123), FLATTEN, ANSWER)
    return json.dumps(model).replace("123", number).encode()


CONFIGS = {
    "no JSON": (b"\x00\xff not JSON", "isn't JSON"),
    "a list": ([1], "isn't a model of Keras 3"),
    "a text": ("model", "isn't a model of Keras 3"),
    "nothing": ({}, "isn't a model of Keras 3"),
    "brackets": (b"[" * 900_000, "isn't JSON"),
    "objects in each other": (b'{"config":' * 90_000 + b"1" + b"}" * 90_000, "isn't JSON"),
    "deep list": (deep(900), "can't be admitted"),
    "models too deep": (nested_models(5), "more than 5 deep"),
    "a subclass of Model": (layer("Model", "keras", layers=[]), "the model 'Model' can't be admitted"),
    "a custom model": (
        layer("Sequential", "keras", "evil>Sequential", layers=[]),
        "'evil>Sequential' can't be admitted",
    ),
    "no layers": (layer("Sequential", "keras", layers=[]), "one input layer"),
    "never built": (layer("Sequential", "keras", layers=[FLATTEN, ANSWER]), "one input layer"),
    "two inputs": (sequential(layer("InputLayer", batch_shape=[None, 28, 28, 1]), FLATTEN, ANSWER), "one input layer"),
    "flat digits": (sequential(ANSWER, shape=(784,)), r"it takes (784,), but is given (28, 28, 1)"),
    "colour": (sequential(FLATTEN, ANSWER, shape=(28, 28, 3)), "it takes (28, 28, 3)"),
    "letters": (sequential(FLATTEN, layer("Dense", units=26)), "expected a model of ten classes, got the output (26,)"),
    "an image as answer": (sequential(layer("Dense", units=10)), "got the output (28, 28, 10)"),
    "half precision": (
        sequential(FLATTEN, ANSWER | {"config": ANSWER["config"] | {"dtype": "mixed_float16"}}),
        "only float32",
    ),
    "a dense shape bomb": (sequential(FLATTEN, layer("Dense", units=50_000_000), ANSWER), "units = 50000000 can't be"),
    "a text as number": (sequential(FLATTEN, layer("Dense", units="10")), "can't be admitted"),
    "many units": (sequential(FLATTEN, layer("Dense", units=5_000), ANSWER), "from 1 to 4,096"),
    "negative units": (sequential(FLATTEN, layer("Dense", units=-1), ANSWER), "from 1 to 4,096"),
    "true units": (sequential(FLATTEN, layer("Dense", units=True), ANSWER), "from 1 to 4,096"),
    "no units": (sequential(FLATTEN, layer("Dense"), ANSWER), "incomplete"),
    "a number without end": (with_number("1e999"), "offset = inf can't be admitted"),
    "not a number": (with_number("NaN"), "offset = nan can't be admitted"),
    "a number of 4,000 digits": (with_number("9" * 4_000), "offset = 999"),
    "a number of 10,000 digits": (with_number("9" * 10_000), "isn't JSON"),
    "too many weights": (sequential(FLATTEN, layer("Dense", units=4_000), ANSWER), "more than 2,500,000 weights"),
    "too many layers": (sequential(*[layer("ReLU")] * 400, FLATTEN, ANSWER), "more layers"),
    "models in models": (exponential(), "more layers"),
    "too much work": (sequential(*[convolution(128)] * 6, FLATTEN, ANSWER), "more work"),
    "too wide": (sequential(convolution(129), FLATTEN, ANSWER), "too many numbers of one digit"),
    "all together too wide": (sequential(convolution(128), *[layer("ReLU")] * 20, FLATTEN, ANSWER), "too many numbers"),
    "enlarged": (sequential(layer("UpSampling2D", size=[64, 64]), FLATTEN, ANSWER), "too many numbers of one digit"),
    "padded": (sequential(layer("ZeroPadding2D", padding=[[900, 900], [900, 900]]), FLATTEN, ANSWER), "from 0 to 64"),
    "cut to nothing": (
        sequential(layer("Cropping2D", cropping=[[14, 14], [0, 0]]), FLATTEN, ANSWER),
        "nothing is left",
    ),
    "reshaped to more": (sequential(layer("Reshape", target_shape=[1000, 1000]), FLATTEN, ANSWER), "can't make"),
    "reshaped to many axes": (
        sequential(layer("Reshape", target_shape=[28, 28, *[1] * 300]), FLATTEN, ANSWER),
        "target_shape",
    ),
    "reshaped by nothing": (sequential(layer("Reshape", target_shape=[0, -1]), FLATTEN, ANSWER), "can't make"),
    "reshaped twice unknown": (sequential(layer("Reshape", target_shape=[-1, -1]), FLATTEN, ANSWER), "can't make"),
    "a huge kernel": (sequential(convolution(1, kernel_size=[5_000, 5_000]), FLATTEN, ANSWER), "from 1 to 64"),
    "a dilation": (sequential(convolution(1, dilation_rate=[60, 60]), FLATTEN, ANSWER), "from 1 to 64"),
    "a kernel beyond the image": (
        sequential(convolution(1, kernel_size=[29, 29], padding="valid"), FLATTEN, ANSWER),
        "larger",
    ),
    "groups": (sequential(convolution(4, groups=4), FLATTEN, ANSWER), "'groups' = 4 can't be admitted"),
    "channels first": (sequential(convolution(4, data_format="channels_first"), FLATTEN, ANSWER), "'data_format'"),
    "a multiplier": (
        sequential(layer("SeparableConv2D", filters=1, depth_multiplier=4_000, **CONVOLUTION), FLATTEN, ANSWER),
        "its depth_multiplier must be a whole number from 1 to 8",
    ),
    "transposed": (
        sequential(layer("Conv2DTranspose", filters=9, **CONVOLUTION | {"strides": [9, 9]}), FLATTEN, ANSWER),
        "too many numbers of one digit",
    ),
    "a sparse input": (sequential(layer("InputLayer", batch_shape=[None, 28, 28, 1], sparse=True)), "'sparse' = True"),
}


@pytest.mark.parametrize("case", CONFIGS)
def test_odd_config_is_refused_in_a_sentence(case, no_child):
    config, reason = CONFIGS[case]
    tracemalloc.start()
    assert reason in refused(with_config(config))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 60_000_000


def history(name: str, *numbers: object):
    def change(layers: dict, _: dict) -> None:
        layers["logits"]["inbound_nodes"][0]["args"][0]["config"]["keras_history"] = [name, *numbers]

    return change


GRAPHS = {
    "a loop": (loop, "waits for itself"),
    "an unknown layer": (history("nobody", 0, 0), "waits for itself, or for one that there isn't"),
    "an unknown use": (history("flatten", 7, 0), "waits for itself, or for one that there isn't"),
    "a huge use": (history("flatten", 10**9, 0), "names a tensor by"),
    "a second output": (history("flatten", 0, 1), "names a tensor by"),
    "an odd reference": (history("flatten", "0", 0), "names a tensor by"),
    "a layer that isn't used": (lambda layers, _: layers["dropout"].update(inbound_nodes=[]), "isn't used"),
    "an older node": (
        lambda layers, _: layers["dropout"].update(inbound_nodes=[[["x", 0, 0, {}]]]),
        "isn't a model of Keras 3",
    ),
    "used very often": (
        lambda layers, _: layers["flatten"].update(inbound_nodes=layers["flatten"]["inbound_nodes"] * 1_000),
        "uses layers more than 300 times",
    ),
    "no tensors": (lambda layers, _: layers["flatten"]["inbound_nodes"][0].update(args=[[]]), "takes one input, not 0"),
    "always in training": (
        lambda layers, _: layers["dropout"]["inbound_nodes"][0].update(kwargs={"training": True}),
        "more than an image",
    ),
    "one name twice": (lambda layers, _: layers["dropout"]["config"].update(name="flatten"), "different names"),
    "a name with a path": (lambda layers, _: layers["dropout"]["config"].update(name="../x"), "the name '../x'"),
    "a long name": (lambda layers, _: layers["dropout"]["config"].update(name="x" * 1_000), "the name 'xxx"),
    "an unknown output": (
        lambda _, config: config["config"].update(output_layers=[["nobody", 0, 0]]),
        "comes from 'nobody', which there isn't",
    ),
    "two outputs": (
        lambda _, config: config["config"].update(output_layers=[["logits", 0, 0], ["probabilities", 0, 0]]),
        "one input and one output",
    ),
}


@pytest.mark.parametrize("case", GRAPHS)
def test_odd_graph_is_refused_in_a_sentence(case, no_child):
    change, reason = GRAPHS[case]
    assert reason in refused(edited(change))


def places(value: object, path: tuple = ()) -> list[tuple]:
    """The path of keys to everything in a config."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(each for key, item in inner for each in places(item, (*path, key)))]


ODD = (None, True, -1, 0.5, 10**9, "x", "", [], [5], [[]], [None], {}, {"class_name": ["x"]}, [{"config": 1}])


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_anything_anywhere_is_a_sentence_at_worst(odd):
    text = json.dumps(cnn_config())
    for *path, last in places(cnn_config())[1:]:
        config = target = json.loads(text)
        for key in path:
            target = target[key]
        target[last] = odd
        # It may be harmless; any other exception fails the test.
        with suppress(ValueError):
            size_limits.measure(config_copy.copy(json.dumps(config).encode()))


@pytest.mark.parametrize(
    ("kind", "shapes", "config"),
    [
        ("Add", [(9, 8, 6), (8, 9, 6)], {}),
        ("Multiply", [(9, 8, 6), (6,)], {}),
        ("Concatenate", [(9, 8, 6), (8, 8, 6)], {}),
        ("Concatenate", [(9, 8, 6), (9, 8)], {}),
        ("Concatenate", [(9, 8, 6), (9, 8, 6)], {"axis": 0}),
        ("Concatenate", [(9, 8, 6), (9, 8, 6)], {"axis": 4}),
    ],
)
def test_inputs_that_do_not_fit_are_not_merged(kind, shapes, config):
    with pytest.raises(ValueError, match="can't merge"):
        layer_rules.MERGING[kind][0](config, shapes)


# The weights, which the child looks at before Keras does


def stored(shape: tuple, file, name: str = "layers/dense/vars/0", **options) -> None:
    del file[name]
    file.create_dataset(name, shape, **{"dtype": "f4"} | options)


def external(file) -> None:
    """CVE-2026-1669: an array whose numbers are the bytes of another file."""
    stored((3,), file, external=[("/etc/hostname", 0, 12)])


def virtual(file) -> None:
    layout = h5py.VirtualLayout((2400, 10), "f4")
    layout[:] = h5py.VirtualSource("/tmp/other.h5", "x", (2400, 10))
    del file["layers/dense/vars/0"]
    file.create_virtual_dataset("layers/dense/vars/0", layout)


def linked(target: object):
    def change(file) -> None:
        del file["layers/dense/vars/0"]
        file["layers/dense/vars/0"] = target

    return change


def circle(file) -> None:
    file["layers/dense/again"] = file["layers"]


def twice(file) -> None:
    file["layers/dense/again"] = file["layers/dense/vars/0"]


def many(file) -> None:
    for number in range(archive.HDF5_OBJECTS + 1):
        file.create_group(f"many/{number}")


def not_finite(file) -> None:
    file["layers/dense/vars/0"][5, 5] = np.nan


ARRAYS = {
    "external file": (external, "a way that Keras doesn't use"),
    "virtual": (virtual, "a way that Keras doesn't use"),
    "link to another file": (linked(h5py.ExternalLink("/etc/passwd", "/x")), "a link to elsewhere"),
    "soft link": (linked(h5py.SoftLink("/layers/conv2d/vars/0")), "a link to elsewhere"),
    # CVE-2026-0897
    "shape bomb": (lambda file: stored((2**20, 2**20), file), "claim more bytes than the file holds"),
    "never written": (lambda file: stored((2400, 10), file), "or not at all"),
    "compressed": (lambda file: stored((2400, 10), file, compression="gzip", data=np.zeros((2400, 10))), "doesn't use"),
    "compressed bomb": (
        lambda file: stored((9_000, 9_000), file, chunks=(9, 9), compression="gzip"),
        "claim more bytes",
    ),
    "chunked": (lambda file: stored((2400, 10), file, chunks=(2400, 10), data=np.zeros((2400, 10))), "doesn't use"),
    "texts": (lambda file: stored((3,), file, dtype=h5py.string_dtype()), "other than plain numbers"),
    "references": (lambda file: stored((3,), file, dtype=h5py.ref_dtype), "other than plain numbers"),
    "compound": (lambda file: stored((3,), file, dtype=[("a", "f4"), ("b", "f4")]), "other than plain numbers"),
    "no shape": (lambda file: linked(h5py.Empty("f4"))(file), "other than plain numbers"),
    "a type": (lambda file: linked(np.dtype("f4"))(file), "something other than arrays"),
    "circle": (circle, "in circles"),
    "linked twice": (twice, "in circles"),
    "many groups": (many, "too many groups"),
    "not a number": (not_finite, "aren't finite"),
    "fewer than the config": (
        lambda file: linked(np.zeros((240, 10), "f4"))(file),
        "need 135,146 weights, but the file holds 113,546",
    ),
    "an optimiser's instead": (lambda file: file.move("layers", "optimizer"), "but the file holds 0"),
}


@pytest.mark.parametrize("case", ARRAYS)
def test_odd_weights_are_refused_in_a_sentence(case, tmp_path):
    change, reason = ARRAYS[case]
    path = tmp_path / "model.keras"
    path.write_bytes(with_weights(change))
    tracemalloc.start()
    with pytest.raises(ValueError, match=reason):
        archive.check_weights(path, 135_146)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000_000


@pytest.mark.parametrize(
    "content", [b"", b"\x89HDF\r\n\x1a\n" + bytes(1000), members_of()["model.weights.h5"][:50_000]]
)
def test_damaged_weights_are_refused_in_a_sentence(content, tmp_path):
    archive.pack({"model.weights.h5": content}, tmp_path / "model.keras")
    with pytest.raises(ValueError, match="weights are damaged"):
        archive.check_weights(tmp_path / "model.keras", 10)


# The child


def test_child_looks_at_the_weights_before_it_imports_keras(temporary, monkeypatch):
    started = []
    popen = subprocess.Popen

    def watch(command, **options):
        started.append((command, options))
        return popen(command, **options)

    monkeypatch.setattr(subprocess, "Popen", watch)
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    # Keras with another backend would fail with another message, if it were imported.
    monkeypatch.setitem(untrusted.ENVIRONMENT, "KERAS_BACKEND", "nothing")
    reason = refused(with_weights(external))
    assert (
        reason == "the model can't be admitted: its weights are stored in a way that Keras doesn't use, or not at all"
    )
    ((_, options),) = started
    assert "hunter2" not in str(options["env"])
    assert str(options["cwd"]).startswith(str(temporary))
    assert list(temporary.iterdir()) == []


def test_child_that_needs_too_much_memory_is_ended(temporary, monkeypatch):
    monkeypatch.setattr(untrusted, "MEMORY_BYTES", 300_000_000)
    reason = refused(CNN)
    assert "memory" in reason.lower()
    assert list(temporary.iterdir()) == []


RUNAWAY = """
import subprocess, sys, time
grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open(sys.argv[1], "w").write(str(grandchild.pid))
time.sleep(60)
"""


def runs(pid: str) -> bool:
    status = Path("/proc", pid, "stat")
    return status.exists() and status.read_text().split(")")[1].split()[0] != "Z"


def test_child_that_takes_too_long_is_ended_with_all_that_it_started(temporary, tmp_path, monkeypatch):
    popen = subprocess.Popen
    monkeypatch.setattr(
        subprocess,
        "Popen",
        lambda _, **options: popen([sys.executable, "-c", RUNAWAY, str(tmp_path / "pid")], **options),
    )
    monkeypatch.setattr(untrusted, "SECONDS", 1.5)
    assert refused(CNN) == "the model's conversion took longer than 1.5 seconds and was ended"
    grandchild = (tmp_path / "pid").read_text()
    # The system ends a process soon, not at once.
    wait_until(lambda: not runs(grandchild), seconds=20)
    assert list(temporary.iterdir()) == []


def with_child(monkeypatch, code: str) -> None:
    """Let this code run in the place of the conversion."""
    popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda _, **options: popen([sys.executable, "-c", code], **options))


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import os; os.abort()", "made the conversion fail"),
        ("import sys; sys.exit(1)", "made the conversion fail"),
        ("import sys; sys.exit('x' * 10**7)", "made the conversion fail"),
        (
            "import sys; print('error: ' + 'x' * 10**7, file=sys.stderr); sys.exit(2)",
            "the model can't be admitted: xxx",
        ),
        (
            "import os, sys; print('error: in', os.getcwd(), file=sys.stderr); sys.exit(2)",
            "the model can't be admitted: in",
        ),
        ("open('model.onnx', 'wb').write(bytes(31_000_000))", "made the conversion fail"),
        ("open('model.onnx', 'wb').write(b'no twin')", "model.onnx can't be opened as an ONNX digit classifier"),
        ("", "made the conversion fail"),
    ],
)
def test_odd_child_ends_in_a_sentence(code, reason, temporary, monkeypatch):
    with_child(monkeypatch, code)
    assert reason in (said := refused(CNN))
    assert str(temporary) not in said
    assert list(temporary.iterdir()) == []


def test_only_one_model_is_converted_at_a_time(monkeypatch):
    with_child(monkeypatch, "import sys; sys.exit(1)")
    monkeypatch.setattr(untrusted, "SECONDS", 0.2)
    holder = threading.Thread(target=untrusted._turn.acquire)
    holder.start()
    holder.join()
    assert "try again in a minute" in refused(CNN)
    untrusted._turn.release()
    monkeypatch.setattr(untrusted, "SECONDS", 10)
    assert "made the conversion fail" in refused(CNN)
    assert not untrusted._turn.locked()


@pytest.mark.skipif(sys.platform != "linux", reason="macOS heeds only some limits, Windows has none")
@pytest.mark.parametrize(
    ("code", "error"),
    [("bytearray(400_000_000)", "MemoryError"), ("open('big', 'wb').write(bytes(31_000_000))", "File too large")],
)
def test_confined_process_can_take_no_more(code, error, tmp_path):
    program = f"from digits.untrusted import worker; worker.confine(300_000_000); {code}"
    environment = os.environ | {"PYTHONPATH": str(paths.ROOT / "src")}
    command = [sys.executable, "-c", program]
    process = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert process.returncode == 1
    assert error in process.stderr
