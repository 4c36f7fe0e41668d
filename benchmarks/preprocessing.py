"""What each step of preprocessing is worth: seven ways compared on people's handwriting, mock pages and MNIST itself.

Needs a folder with real handwriting, which isn't in the project: `make benchmark NAME=preprocessing DRAWINGS=FOLDER`,
with `index.csv` in it that has the columns file, label and kind (drawing or photo). It was used for development, so
its figures are development figures.
"""

import csv
import os
import statistics
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import cv2
import harness
import mock_pages
import numpy as np
from PIL import Image

from digits import data, preprocess
from digits.checkpoints import recognizer
from digits.preprocess import EnabledSteps

MODELS = ("mnist_advanced", "mnist_cnn")
PAGES_A_KIND = 200
COMPARED_STEP = 5
LARGE = 280
ROUNDS = 30

Way = Callable[[np.ndarray], np.ndarray]


def pasted(grey: np.ndarray) -> np.ndarray:
    """The whole picture in 28×28, ink made light."""
    small = cv2.resize(grey, (28, 28), interpolation=cv2.INTER_AREA)
    border = np.concatenate([small[0], small[-1], small[:, 0], small[:, -1]])
    return 255 - small if np.median(border) > 127 else small


def by(enabled: EnabledSteps) -> Way:
    return lambda grey: preprocess.prepare(grey, enabled).image


def deskewed(grey: np.ndarray) -> np.ndarray:
    """The shipped way, then sheared upright by the second moments."""
    image = preprocess.prepare(grey).image
    moments = cv2.moments(image)
    if abs(moments["mu02"]) < 1e-2:
        return image
    skew = moments["mu11"] / moments["mu02"]
    matrix = np.float32([[1, skew, -skew * moments["m01"] / moments["m00"]], [0, 1, 0]])
    return cv2.warpAffine(image, matrix, (28, 28), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)


NOTHING = {"frame": False, "shadows": False, "lines": False, "parts": False, "stroke": False}
SHIPPED = "… with MNIST's stroke width (shipped)"
WAYS: dict[str, Way] = {
    "the whole picture pasted into 28×28": pasted,
    "cropped and centred": by(EnabledSteps(**NOTHING)),
    "… with shadows removed": by(EnabledSteps(**NOTHING | {"shadows": True})),
    "… without frames and desks": by(EnabledSteps(**NOTHING | {"shadows": True, "frame": True})),
    "… without stray parts": by(EnabledSteps(stroke=False, lines=False)),
    "… without ruled lines": by(EnabledSteps(stroke=False)),
    SHIPPED: by(EnabledSteps()),
    "… and deskewed": deskewed,
}


def handwriting(folder: Path) -> dict[str, tuple[list[np.ndarray], np.ndarray]]:
    """Grey pictures and labels, by kind."""
    with (folder / "index.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    found = {}
    for kind in ("drawing", "photo"):
        chosen = [row for row in rows if row["kind"] == kind]
        pictures = [preprocess.read_grey(folder / row["file"]) for row in chosen]
        found[f"{kind}s"] = pictures, np.array([int(row["label"]) for row in chosen])
    return found


def enlarged(images: np.ndarray, dark_ink: bool) -> list[np.ndarray]:
    large = [cv2.resize(image, (LARGE, LARGE), interpolation=cv2.INTER_CUBIC) for image in images]
    return [255 - picture for picture in large] if dark_ink else large


def wrong(way: Way, pictures: list[np.ndarray], labels: np.ndarray, models: dict) -> dict[str, int]:
    """How many each model reads wrongly; a picture on which nothing is found counts as wrong."""
    images, found = [], []
    for picture in pictures:
        try:
            images.append(way(picture))
            found.append(True)
        except ValueError:
            found.append(False)
    missing = len(found) - sum(found)
    labels = labels[np.array(found)]
    return {
        name: missing + int(np.sum(model.predict_proba(np.stack(images)).argmax(axis=1) != labels))
        for name, model in models.items()
    }


def milliseconds(work: Callable[[], object]) -> float:
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        work()
        times.append(1000 * (time.perf_counter() - started))
    return round(statistics.median(times), 2)


def speeds(digits: data.Digits) -> dict[str, float]:
    """Medians of the canvas, and of a photo of 12 megapixels from its JPEG bytes."""
    canvas = enlarged(digits.images[:1], dark_ink=True)[0]
    page = mock_pages.make("squared", digits.images[:1], seed=0)[0]
    photo = cv2.resize(page, (4000, 3000), interpolation=cv2.INTER_CUBIC).astype(np.int16)
    photo = np.clip(photo + np.random.default_rng(0).normal(0, 6, photo.shape), 0, 255).astype(np.uint8)
    file = BytesIO()
    Image.fromarray(photo).convert("RGB").save(file, "JPEG", quality=90)
    return {
        "canvas_280": milliseconds(lambda: preprocess.prepare(canvas)),
        "photo_12_megapixels": milliseconds(lambda: preprocess.prepare_file(file.getvalue())),
    }


def main() -> None:
    folder = os.environ.get("DRAWINGS")
    if not folder:
        raise SystemExit("error: say where the handwriting is: DRAWINGS=FOLDER make benchmark NAME=preprocessing")
    models = {name: recognizer.load(name) for name in MODELS}
    validation, test = data.load_splits().validation, data.load_test()
    sources = handwriting(Path(folder))
    pages, labels = validation.images[-PAGES_A_KIND:], validation.labels[-PAGES_A_KIND:]
    mock = {kind: (mock_pages.make(kind, pages, seed=0), labels) for kind in mock_pages.KINDS}
    sources["mock pages"] = [page for drawn, _ in mock.values() for page in drawn], np.tile(labels, len(mock))
    # Of MNIST's test digits evenly spaced ones for the comparison, and all of them for the shipped way.
    some = test.at(np.arange(0, len(test), COMPARED_STEP))
    sources["MNIST enlarged, dark ink"] = enlarged(some.images, dark_ink=True), some.labels
    sources["MNIST enlarged, light ink"] = enlarged(some.images, dark_ink=False), some.labels
    results = {
        "milliseconds": speeds(validation),
        "n": {name: len(labels) for name, (_, labels) in sources.items()},
        "wrong": {way: {name: wrong(WAYS[way], *sources[name], models) for name in sources} for way in WAYS},
        "mock_pages_wrong": {
            way: {kind: wrong(WAYS[way], *mock[kind], models) for kind in mock}
            for way in ("cropped and centred", SHIPPED)
        },
        "round_trip": {
            "n": len(test),
            "as it is": wrong(lambda image: image, list(test.images), test.labels, models),
            "enlarged, dark ink": wrong(WAYS[SHIPPED], enlarged(test.images, True), test.labels, models),
            "enlarged, light ink": wrong(WAYS[SHIPPED], enlarged(test.images, False), test.labels, models),
        },
    }
    harness.keep("preprocessing", results)


if __name__ == "__main__":
    main()
