"""How fast the corruption sweep is, how its time grows with images and models, and how much memory it takes."""

import shutil
import sys
import tempfile
import time
from pathlib import Path

import harness
import numpy as np

from digits import data, files, paths
from digits.corruptions import CORRUPTIONS, SEVERITIES
from digits.robustness import plan as sweep_plan
from digits.robustness import sweep

SIX = ("mnist_logistic", "mnist_linear_svm", "mnist_random_forest", "mnist_mlp", "mnist_cnn", "mnist_advanced")
SCRIPT = [sys.executable, str(paths.ROOT / "src" / "evaluate_robustness.py")]


def seconds_of_sweep(models: list[sweep_plan.Model], images: int, severities: tuple[int, ...], folder: Path) -> float:
    digits, indices = data.evenly_spaced(data.load_test(), images)
    kinds = tuple(CORRUPTIONS.values())
    plan = sweep_plan.Plan(digits, indices, "MNIST's test digits", tuple(models), kinds, severities, 0)
    started = time.perf_counter()
    sweep.run(plan, folder / f"{len(models)}-{images}-{len(severities)}", batch_size=500)
    return time.perf_counter() - started


def copies(name: str, count: int, folder: Path) -> list[sweep_plan.Model]:
    """One network under several names, so that each of the models costs the same."""
    models = []
    for number in range(count):
        path = Path(shutil.copy(paths.MODELS / f"{name}.onnx", folder / f"{name}_{number}.onnx"))
        models.append(sweep_plan.Model(path.stem, str(path), files.sha256(path)))
    return models


def straightness(amounts: list[int], seconds: list[float]) -> float:
    """The share of the variance of the times that a straight line explains."""
    return float(np.corrcoef(amounts, seconds)[0, 1] ** 2)


def growth(folder: Path) -> dict:
    models = copies("mnist_cnn", 4, folder)
    seconds_of_sweep(models[:1], 100, SEVERITIES, folder)
    images, counts = [1250, 2500, 5000, 10000], [1, 2, 3, 4]
    by_images = [seconds_of_sweep(models[:1], number, SEVERITIES, folder) for number in images]
    by_models = [seconds_of_sweep(models[:number], 2500, (1, 3, 5), folder) for number in counts]
    damaged = images[-1] * (1 + len(CORRUPTIONS) * len(SEVERITIES))
    return {
        "cnn_damaged_images_a_second": round(damaged / by_images[-1]),
        "seconds_by_images": {number: round(seconds, 2) for number, seconds in zip(images, by_images, strict=True)},
        "r_squared_of_images": round(straightness(images, by_images), 4),
        "seconds_by_models": {number: round(seconds, 2) for number, seconds in zip(counts, by_models, strict=True)},
        "r_squared_of_models": round(straightness(counts, by_models), 4),
    }


def whole_script(folder: Path) -> dict:
    runs = {
        "full_sweep_of_six_models": ["--models", *SIX, "--output-dir", str(folder / "full")],
        "quick_look_at_six_models": ["--quick", "--models", *SIX, "--output-dir", str(folder / "quick")],
    }
    measured = {name: harness.run_process(SCRIPT + arguments) for name, arguments in runs.items()}
    return {name: {"seconds": round(run[0], 1), "megabytes": round(run[1])} for name, run in measured.items()}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        harness.keep("sweep", growth(Path(folder)) | whole_script(Path(folder)))
