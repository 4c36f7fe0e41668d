"""What is damaged: whole files of every format that the project reads, and what reads them."""

import gzip
import io
import json
import struct
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import h5py
import numpy as np
from PIL import Image
from sklearn.ensemble import RandomForestClassifier

from digits import data, paths, preprocess
from digits.checkpoints import cards, forest, publishing, scikit_learn
from digits.data import hdf5
from digits.images import SIDE, to_input
from digits.preprocess import detection
from digits.studies import declaration
from digits.untrusted import check_keras, onnx_rules

# Every so many pictures, all digits are looked for, which takes longer than one.
SEVERAL = 4


@dataclass(frozen=True)
class Seed:
    """A whole file.

    Attributes:
        beside: files that belong to it, by name.
    """

    name: str
    content: bytes
    beside: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Target:
    """Files of one kind, and their reader.

    Attributes:
        seeds: takes a folder for files that it needs on the way.
        read: takes a file's path; an AssertionError if what it returns isn't right.
        confined: suffixes of the files that the project itself reads in a process with limits, which ends what hangs;
            here that process is left out, which would take most of the time.
    """

    seeds: Callable[[Path], Iterator[Seed]]
    read: Callable[[Path], None]
    confined: tuple[str, ...] = ()


@cache
def _digits() -> data.Digits:
    return data.load_test().first(100)


def _pictures(folder: Path) -> Iterator[Seed]:
    grey = Image.fromarray(255 - _digits().images[0]).resize((100, 120), Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[274], exif[306], exif[305] = 6, "2026:01:01 00:00:00", "a camera"
    saved = [
        ("a.png", grey, {}),
        ("b.png", grey.convert("RGBA"), {"exif": exif}),
        ("c.png", grey.convert("P"), {"transparency": 0}),
        ("d.png", Image.fromarray(np.asarray(grey).astype(np.uint16) * 257), {}),
        ("a.jpg", grey.convert("RGB"), {"exif": exif}),
        ("b.jpg", grey.convert("CMYK"), {}),
        ("c.jpg", grey, {"progressive": True}),
        ("a.bmp", grey.convert("RGB"), {}),
        ("b.bmp", grey.convert("1"), {}),
        ("a.webp", grey.convert("RGBA"), {"exif": exif}),
        ("a.tif", grey, {"compression": "tiff_lzw"}),
        ("b.tif", grey.convert("F"), {"exif": exif}),
        ("a.gif", grey, {"save_all": True, "append_images": [grey.rotate(90)]}),
        ("a.avif", grey.convert("RGB"), {}),
        ("a.ppm", grey.convert("RGB"), {}),
        ("a.pgm", grey, {}),
    ]
    for name, picture, options in saved:
        file = io.BytesIO()
        picture.save(file, Image.registered_extensions()[Path(name).suffix], **options)
        yield Seed(name, file.getvalue())


def _read_picture(path: Path) -> None:
    content = path.read_bytes()
    image = preprocess.prepare_file(content).image
    assert (image.dtype, image.shape) == (np.uint8, (SIDE, SIDE))
    assert image.any()
    if content[-1] % SEVERAL == 0:
        for found in detection.find_digits(preprocess.read_grey(path)):
            assert found.prepared.image.shape == (SIDE, SIDE)


def _models(folder: Path) -> Iterator[Seed]:
    for name in ("mnist_logistic", "digits_8x8_logistic", "mnist_cnn"):
        for suffix in (".keras", ".onnx"):
            path = paths.MODELS / f"{name}{suffix}"
            yield Seed(path.name, path.read_bytes())
    with zipfile.ZipFile(paths.MODELS / "mnist_logistic.keras") as archive:
        config, weights = archive.read("config.json"), io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(weights, "r+") as file:
        file.attrs["model_config"] = config.decode()
    yield Seed("model.h5", weights.getvalue())
    digits = _digits()
    fitted = RandomForestClassifier(3, max_depth=4, random_state=0)
    fitted.fit(to_input(digits.images).reshape(len(digits), -1), digits.labels)
    scikit_learn.save_forest(fitted, folder / "forest.skops", digits.images)
    for path in (folder / "forest.skops", folder / "forest.npz"):
        yield Seed(path.name, path.read_bytes())


def _read_model(path: Path) -> None:
    if path.suffix in (".keras", ".h5"):
        check_keras(path.read_bytes())
    elif path.suffix == ".onnx":
        onnx_rules.check(path.read_bytes())
    else:
        is_skops = path.suffix == ".skops"
        trees = forest.assemble(forest.flatten(scikit_learn.load_forest(path))) if is_skops else forest.load(path)
        ink = to_input(_digits().images[:2]).reshape(2, -1)
        np.testing.assert_allclose(trees.predict_proba(ink).sum(axis=1), 1, rtol=1e-5)


def _cards(folder: Path) -> Iterator[Seed]:
    for path in (paths.MODELS / f"{name}.json" for name in ("mnist_cnn", "mnist_random_forest", "mnist_ensemble")):
        yield Seed(path.name, path.read_bytes())
    card = cards.read(paths.MODELS / "mnist_mlp.json")
    score = {"n": 10, "correct": 9, "accuracy": 0.9, "interval": [0.6, 1.0]}
    card["base"] = {"name": "mnist_cnn", "sha256": "0" * 64}
    card["own_digits"] = {
        "folder": "my_digits",
        "sha256": "0" * 64,
        "counts": [1] * 10,
        "before": score,
        "after": score,
        "right_by_class": {"before": [1] * 10, "after": [1] * 10},
    }
    yield Seed("mnist_mlp.json", json.dumps(card).encode())


def _read_card(path: Path) -> None:
    card = cards.read(path)
    assert publishing.summary(card)
    cards.duration(card["training"]["seconds"])
    cards.is_local(card)


def _studies(folder: Path) -> Iterator[Seed]:
    for path in declaration.known():
        yield Seed(path.name, path.read_bytes())
    yield Seed("example.toml", str(declaration.__doc__).partition("\n\n")[2].encode())


def _read_study(path: Path) -> None:
    for run in declaration.read(path).runs():
        assert all(isinstance(argument, str) for argument in run.arguments())


def _data_sets(folder: Path) -> Iterator[Seed]:
    images, labels = _digits().images[:20], _digits().labels[:20]
    npz, npy_labels, hdf5 = io.BytesIO(), io.BytesIO(), io.BytesIO()
    np.savez_compressed(npz, x_test=images, y_test=labels)
    yield Seed("a.npz", npz.getvalue())
    np.savez(npz := io.BytesIO(), images=to_input(images), labels=np.eye(10)[labels], names=np.array(["zero", "one"]))
    yield Seed("b.npz", npz.getvalue())
    np.save(npy := io.BytesIO(), images)
    np.save(npy_labels, labels.astype(str))
    yield Seed("digits_images.npy", npy.getvalue(), {"digits_labels.npy": npy_labels.getvalue()})
    yield Seed("digits_labels.npy", npy_labels.getvalue(), {"digits_images.npy": npy.getvalue()})
    with h5py.File(hdf5, "w") as file:
        file.create_dataset("test/x", data=images, compression="gzip")
        file.create_dataset("test/y", data=labels.astype("S1"))
    yield Seed("a.h5", hdf5.getvalue())
    idx = [_idx(images), _idx(labels)]
    names = ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"]
    yield Seed(names[0], idx[0], {names[1]: idx[1]})
    yield Seed(names[1], idx[1], {names[0]: idx[0]})
    packed = [gzip.compress(content) for content in idx]
    yield Seed(f"{names[0]}.gz", packed[0], {f"{names[1]}.gz": packed[1]})
    rows = [",".join(map(str, [label, *image.ravel()])) for label, image in zip(labels, images, strict=True)]
    yield Seed("kaggle.csv", "\n".join([",".join(["label", *(f"pixel{i}" for i in range(784))]), *rows]).encode())
    yield Seed("plain.csv", "\r\n".join(rows).encode())
    yield Seed("words.tsv", "\n".join(rows).replace(",", "\t").encode())


def _idx(array: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def _read_data_set(path: Path) -> None:
    if path.suffix == ".h5":
        hdf5.copy(path, path.with_suffix(".npz"))
        path = path.with_suffix(".npz")
    digits = data.load_labelled(path)
    assert (digits.images.dtype, digits.images.shape) == (np.uint8, (len(digits), SIDE, SIDE))
    assert digits.labels.dtype == np.uint8
    assert len(digits) > 0
    assert digits.labels.max() <= 9


TARGETS = {
    "pictures": Target(_pictures, _read_picture),
    "models": Target(_models, _read_model, (".keras", ".h5", ".onnx", ".skops", ".npz")),
    "cards": Target(_cards, _read_card),
    "studies": Target(_studies, _read_study),
    "datasets": Target(_data_sets, _read_data_set, (".h5",)),
}
