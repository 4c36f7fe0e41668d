"""Keras files as strangers might make them: the shipped CNN, edited, and models made of given layers."""

import io
import json
import warnings
import zipfile

import h5py
import pytest

from digits import paths, untrusted

CNN = (paths.MODELS / "mnist_cnn.keras").read_bytes()


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


def refused(content: bytes) -> str:
    """The message with which a file is refused."""
    with pytest.raises(ValueError, match=r"\w") as raised:
        untrusted.check_keras(content)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 400
    return str(raised.value)


def stored(shape: tuple, file, name: str = "layers/dense/vars/0", **options) -> None:
    del file[name]
    file.create_dataset(name, shape, **{"dtype": "f4"} | options)


def external(file) -> None:
    """CVE-2026-1669: an array whose numbers are the bytes of another file."""
    stored((3,), file, external=[("/etc/hostname", 0, 12)])
