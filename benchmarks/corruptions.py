"""How many digits a second each corruption damages, beside scikit-image's and imagecorruptions' ways to do the same.

imagecorruptions takes colour images of at least 32×32, so it is given the digits padded to that and in three channels;
its rates are for that larger work.
"""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import harness
import numpy as np
from skimage import feature, filters, transform, util

from digits import data, paths
from digits.checkpoints import recognizer
from digits.corruptions import CORRUPTIONS, SEVERITIES
from digits.robustness import worst_case

IMAGES = 2000
PEER_IMAGES = 100
ROUNDS = 5
PEER = paths.ROOT / ".venv-corruptions" / "bin" / "python"
# Ours, and what imagecorruptions calls the same damage.
NAMES_OF_IMAGECORRUPTIONS = {
    "gaussian_noise": "gaussian_noise",
    "shot_noise": "shot_noise",
    "impulse_noise": "impulse_noise",
    "gaussian_blur": "gaussian_blur",
    "glass_blur": "glass_blur",
    "motion_blur": "motion_blur",
    "fog": "fog",
    "brightness": "brightness",
    "low_contrast": "contrast",
    "elastic": "elastic_transform",
    "downsampling": "pixelate",
    "jpeg": "jpeg_compression",
    "spatter": "spatter",
}
SCIKIT_IMAGE = {
    "gaussian_noise": lambda image: util.random_noise(image, mode="gaussian", var=0.02),
    "impulse_noise": lambda image: util.random_noise(image, mode="s&p", amount=0.09),
    "gaussian_blur": lambda image: filters.gaussian(image, 1.5),
    "rotate": lambda image: transform.rotate(image, 35),
    "shear": lambda image: transform.warp(image, transform.AffineTransform(shear=0.6)),
    "scale": lambda image: transform.warp(image, transform.AffineTransform(scale=1 / 0.7)),
    "translate": lambda image: transform.warp(image, transform.AffineTransform(translation=(3, -3))),
    "downsampling": lambda image: transform.resize(transform.resize(image, (10, 10), anti_aliasing=True), (28, 28)),
    "canny_edges": lambda image: feature.canny(image / 255, sigma=1),
}
PEER_CODE = """
import json, sys, time, warnings
warnings.simplefilter("ignore")
import numpy as np
from imagecorruptions import corrupt
names, count, path = json.loads(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
images = np.repeat(np.pad(np.load(path)[:count], ((0, 0), (2, 2), (2, 2)))[..., None], 3, axis=3)
rates = {}
for name in names:
    corrupt(images[0], severity=3, corruption_name=name)
    started = time.perf_counter()
    for image in images:
        corrupt(image, severity=3, corruption_name=name)
    rates[name] = count / (time.perf_counter() - started)
print(json.dumps(rates))
"""


def rate(work: Callable[[], object], count: int) -> float:
    """Images a second, the median of several rounds after one that doesn't count."""
    seconds = []
    for _ in range(ROUNDS + 1):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return count / statistics.median(seconds[1:])


def ours(images: np.ndarray, name: str, severity: int) -> float:
    return rate(lambda: CORRUPTIONS[name](images, severity, np.random.default_rng(0)), len(images))


def imagecorruptions_rates(images: np.ndarray, folder: Path) -> dict[str, float]:
    np.save(folder / "images.npy", images)
    names = json.dumps(list(NAMES_OF_IMAGECORRUPTIONS.values()))
    command = [PEER, "-c", PEER_CODE, names, str(PEER_IMAGES), str(folder / "images.npy")]
    child = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(child.stdout)


def one_drawing(image: np.ndarray) -> dict:
    recognise = recognizer.load("mnist_cnn")
    seconds = []
    for _ in range(4 * ROUNDS):
        started = time.perf_counter()
        worst_case.predict_corrupted(recognise, worst_case.all_corruptions(image, seed=0))
        seconds.append(time.perf_counter() - started)
    return {
        "images": len(CORRUPTIONS) * (len(SEVERITIES) + 1),
        "milliseconds_median": round(1000 * statistics.median(seconds[1:]), 1),
        "milliseconds_slowest": round(1000 * max(seconds[1:]), 1),
    }


if __name__ == "__main__":
    if not PEER.is_file():
        sys.exit("imagecorruptions is missing: run `make benchmark NAME=corruptions`")
    import tempfile

    images = data.load_splits().validation.images[:IMAGES]
    with tempfile.TemporaryDirectory() as folder:
        theirs = imagecorruptions_rates(images, Path(folder))
    results = {}
    for name in CORRUPTIONS:
        by_severity = [ours(images, name, severity) for severity in SEVERITIES]
        results[name] = {"images_a_second": round(min(by_severity)), "middle_severity": round(by_severity[2])}
        if name in SCIKIT_IMAGE:
            other = rate(lambda name=name: [SCIKIT_IMAGE[name](image) for image in images[:PEER_IMAGES]], PEER_IMAGES)
            results[name]["scikit_image"] = round(other)
            results[name]["times_scikit_image"] = round(by_severity[2] / other, 1)
        if name in NAMES_OF_IMAGECORRUPTIONS:
            other = theirs[NAMES_OF_IMAGECORRUPTIONS[name]]
            results[name]["imagecorruptions_32x32x3"] = round(other)
            results[name]["times_imagecorruptions"] = round(by_severity[2] / other, 1)
    harness.keep("corruptions", {"slowest_severity": results, "one_drawing_with_mnist_cnn": one_drawing(images[0])})
