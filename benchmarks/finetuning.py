"""What fine-tuning gains and costs: for imagined writers, by samples of each digit, and for people's own handwriting.

The imagined writers' digits are MNIST validation digits; none that a model learnt is among those that it is judged by.
With `make benchmark NAME=finetuning DRAWINGS=FOLDER`, real handwriting is used, too: `index.csv` in it has the columns
file, label and source_repository, which stands for the writer. Figures on it are development figures.
"""

import csv
import os
import time
from collections import defaultdict
from pathlib import Path

import harness
import numpy as np

from digits import data, paths, preprocess
from digits.checkpoints import recognizer
from digits.data import Digits, Splits
from digits.handwriting import finetuning
from tools import simulated_writers

BASE = "mnist_advanced"
WRITERS = range(101, 113)
SIZES = (1, 3, 5, 10, 20)
HELD_OUT = 40


def imagined(seed: int, validation: Digits) -> tuple[list[Digits], Digits]:
    """A writer's digits to learn from, for each size, the smaller ones among the larger, and those to be judged by."""
    rng = np.random.default_rng(seed)
    writer = simulated_writers.imagine(rng)
    order = [rng.permutation(np.flatnonzero(validation.labels == digit)) for digit in range(10)]
    used = np.concatenate([places[: max(SIZES) + HELD_OUT] for places in order])
    drawings = simulated_writers.draw(writer, validation.images[used], validation.labels[used])
    images = np.stack([preprocess.prepare(drawing).image for drawing in drawings])
    written = Digits(images, validation.labels[used])
    rank = np.tile(np.arange(max(SIZES) + HELD_OUT), 10)
    return [written.at(rank < size) for size in SIZES], written.at(rank >= max(SIZES))


def errors(predictions: np.ndarray, digits: Digits) -> int:
    return int(np.sum(predictions != digits.labels))


def simulated(splits: Splits, base: recognizer.Recognizer, tuner: finetuning.FineTuner) -> dict:
    wrong_before = errors(base.predict_proba(splits.test.images).argmax(axis=1), splits.test)
    rows = []
    for seed in WRITERS:
        by_size, judged = imagined(seed, splits.validation)
        before = errors(base.predict_proba(judged.images).argmax(axis=1), judged)
        for size, mine in zip(SIZES, by_size, strict=True):
            started = time.perf_counter()
            tuned = tuner.tune(mine)
            seconds = time.perf_counter() - started
            rows.append(
                {
                    "writer": seed,
                    "samples": size,
                    "wrong_before": before,
                    "wrong_after": errors(finetuning.predictions(tuned.model, judged), judged),
                    "mnist_wrong_after": errors(finetuning.predictions(tuned.model, splits.test), splits.test),
                    "share": tuned.share,
                    "seconds": round(seconds, 1),
                }
            )
            print(rows[-1], flush=True)
    return {
        "judged_digits": 10 * HELD_OUT,
        "mnist_test_wrong_before": wrong_before,
        "by_samples": {
            str(size): summary([row for row in rows if row["samples"] == size], wrong_before) for size in SIZES
        },
        "runs": rows,
    }


def summary(rows: list[dict], mnist_before: int) -> dict:
    """Means over the writers, and the worst of them."""
    before, after = (np.array([row[f"wrong_{when}"] for row in rows]) for when in ("before", "after"))
    lost = np.array([row["mnist_wrong_after"] for row in rows]) - mnist_before
    return {
        "wrong_before": float(before.mean()),
        "wrong_after": float(after.mean()),
        "ratio_of_errors": round(float(after.sum() / before.sum()), 3),
        "largest_ratio": round(float((after / before).max()), 3),
        "writers_halved": int(np.sum(after <= before / 2)),
        "writers_worse": int(np.sum(after > before)),
        "mnist_points_lost": round(float(lost.mean()) / 100, 3),
        "mnist_points_lost_at_most": round(float(lost.max()) / 100, 3),
        "seconds": float(np.median([row["seconds"] for row in rows])),
        "seconds_at_most": max(row["seconds"] for row in rows),
    }


def people(folder: Path, splits: Splits, base: recognizer.Recognizer, tuner: finetuning.FineTuner) -> list[dict]:
    """Each writer with two samples of every digit, or nearly: the first of each learnt, the others read."""
    by_writer = defaultdict(list)
    with (folder / "index.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            by_writer[row["source_repository"]].append((row["file"], int(row["label"])))
    rows = []
    for number, files in enumerate(by_writer.values()):
        images = np.stack([preprocess.prepare_file(folder / name).image for name, _ in files])
        written = Digits(images, np.array([label for _, label in files], np.uint8))
        is_first = np.array([label not in written.labels[:place] for place, label in enumerate(written.labels)])
        learnt, judged = written.at(is_first), written.at(~is_first)
        if not len(judged):
            continue
        tuned = tuner.tune(learnt)
        rows.append(
            {
                "writer": number,
                "learnt": len(learnt),
                "judged": len(judged),
                "wrong_before": errors(base.predict_proba(judged.images).argmax(axis=1), judged),
                "wrong_after": errors(finetuning.predictions(tuned.model, judged), judged),
                "mnist_wrong_after": errors(finetuning.predictions(tuned.model, splits.test), splits.test),
            }
        )
        print(rows[-1], flush=True)
    return rows


def main() -> None:
    splits, base = data.load_splits(), recognizer.load(BASE, paths.MODELS)
    tuner = finetuning.FineTuner(base.path, splits, finetuning.Recipe())
    results = {"base": BASE, "imagined_writers": simulated(splits, base, tuner)}
    if folder := os.environ.get("DRAWINGS"):
        results["people"] = people(Path(folder), splits, base, tuner)
    harness.keep("finetuning", results)


if __name__ == "__main__":
    main()
