"""What corrections gain and cost: people's digits are read one after another, and each that is misread is corrected.

The people are strangers to the models: by default those who filled the forms behind scikit-learn's `load_digits`. With
`make benchmark NAME=corrections DRAWINGS=FOLDER`, the authors of drawings are read, too, as in `finetuning.py`. With
`WRITERS=FOLDER FOLDS=FOLDER`, so are the writers of MNIST's training digits: the first folder names them (QMNIST's
labels), the second has checkpoints NAME.keras, each beside NAME.npy, the indices of the digits by people unknown to it.
The constants in `recognition.prototypes` were chosen on forms, so these figures are development figures.
"""

import csv
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import harness
import numpy as np

from digits import data, metrics, preprocess
from digits.checkpoints import recognizer
from digits.checkpoints.recognizer import Recognizer, blocks_of
from digits.data import Digits
from digits.handwriting import corrections
from digits.images import to_input
from digits.recognition import prototypes
from digits.recognition.verdict import judge

MODELS = ("mnist_cnn", "mnist_advanced", "mnist_mlp")
COUNTS = (1, 3, 10)
# As the digits come, and shuffled; MNIST is read again for the first few only, which saves time.
ORDERS, MNIST_ORDERS = 10, 3


@dataclass(frozen=True)
class Seen:
    """Digits as a model sees them without corrections: `probabilities` (N, 10) and `features` (N, d)."""

    digits: Digits
    probabilities: np.ndarray
    features: np.ndarray

    def wrong(self, learned: prototypes.Prototypes | None = None) -> np.ndarray:
        found = learned.correct(self.probabilities, self.features)[0] if learned else self.probabilities
        return found.argmax(axis=1) != self.digits.labels

    def at(self, indices: np.ndarray) -> "Seen":
        return Seen(self.digits.at(indices), self.probabilities[indices], self.features[indices])


def see(model: Recognizer, digits: Digits) -> Seen:
    runs = [model.run(to_input(block), "probabilities", "features") for block in blocks_of(digits.images)]
    probabilities, features = (np.concatenate(each) for each in zip(*runs, strict=True))
    return Seen(digits, metrics.temper(probabilities, model.card.get("temperature", 1)), features)


def form_writers(model: Recognizer) -> Iterator[tuple[Recognizer, Digits]]:
    """Each form of `load_digits` that the model didn't learn from."""
    stored = data.style_arrays("images", "labels", "source", "held_out")
    unknown = stored["held_out"] | (not model.card["recipe"].get("style_fraction"))
    for source in np.unique(stored["source"][unknown & (np.char.find(stored["source"], "written/") == 0)]):
        yield model, Digits(stored["images"], stored["labels"]).at(stored["source"] == source)


def drawing_authors(model: Recognizer, folder: Path) -> Iterator[tuple[Recognizer, Digits]]:
    by_author = defaultdict(list)
    with (folder / "index.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            image = preprocess.prepare_file(folder / row["file"]).image
            by_author[row["source_repository"]].append((image, int(row["label"])))
    for pairs in by_author.values():
        images, labels = zip(*pairs, strict=True)
        yield model, Digits(np.stack(images), np.array(labels, np.uint8))


def mnist_writers(writers: Path, folds: Path) -> Iterator[tuple[Recognizer, Digits]]:
    arrays, people = data.load_mnist(names=("x_train", "y_train")), data.load_writers(writers, "train").people
    for checkpoint in sorted(folds.glob("*.keras")):
        model, unknown = recognizer.load(checkpoint), np.load(checkpoint.with_suffix(".npy"))
        for person in np.unique(people[unknown]):
            own = np.sort(unknown[people[unknown] == person])
            yield model, Digits(arrays["x_train"][own], arrays["y_train"][own])


def teach(model: Recognizer, seen: Seen, validation: Seen | None) -> dict[str, dict]:
    """Read digits in order and correct each misread one; give the errors after each of `COUNTS`, and after all.

    Args:
        validation: MNIST's digits, or None not to ask what they lose.
    """
    before, learned, found = seen.wrong(), None, {}
    wrong, corrected = before, []

    def state(index: int) -> dict:
        """The errors so far, one per correction, and those on the digits after `index`."""
        rest = slice(index + 1, None)
        lost = validation.wrong(learned).sum() - validation.wrong().sum() if validation else np.nan
        return {
            "before": int(before.sum()),
            "after": len(corrected) + int(wrong[rest].sum()),
            "rest_before": int(before[rest].sum()),
            "rest_after": int(wrong[rest].sum()),
            "points_lost": 100 * float(lost) / len(validation.digits) if validation else np.nan,
        }

    for index in range(len(before)):
        if wrong[index]:
            corrected.append(index)
            own = seen.digits.at(np.array(corrected))
            learned = prototypes.learn(model, own.images, own.labels)
            wrong = seen.wrong(learned)
            if len(corrected) in COUNTS:
                found[f"{len(corrected)}"] = state(index)
    return found | {"all": state(len(before))}


def measure(writers: list[tuple[Recognizer, Digits]], validation: Digits) -> dict:
    """Sums over writers and orders."""
    readers = [(model, see(model, digits)) for model, digits in writers]
    by_model = {id(model): see(model, validation) for model in {id(model): model for model, _ in writers}.values()}
    runs = [
        teach(model, seen.at(order), by_model[id(model)] if number < MNIST_ORDERS else None)
        for model, seen in readers
        if seen.wrong().any()
        for number, order in enumerate(orders(len(seen.digits)))
    ]
    misread = [int(seen.wrong().sum()) for _, seen in readers]
    return {
        "writers": len(readers),
        "digits": sum(len(seen.digits) for _, seen in readers),
        "misread": sum(misread),
        "writers_without_errors": misread.count(0),
        "orders": ORDERS,
        "by_corrections": {name: summary(runs, name) for name in (*map(str, COUNTS), "all")},
    }


def summary(runs: list[dict[str, dict]], name: str) -> dict:
    """Of the runs with so many corrections, the rest of the digits; of all, the errors with at most so many."""
    reached = [run[name] for run in runs if name in run]
    # Where fewer corrections were needed, there are as many errors as with all of them.
    ended = [run.get(name, run["all"]) for run in runs]
    lost = [each["points_lost"] for each in ended if not np.isnan(each["points_lost"])]
    total = {key: sum(each[key] for each in ended) for key in ("before", "after")}
    rest = {key: sum(each[key] for each in reached) for key in ("rest_before", "rest_after")}
    return {
        "runs": len(runs),
        "runs_with_so_many_corrections": len(reached),
        **(rest if name != "all" else {}),
        **total,
        "share_of_errors_left": round(total["after"] / total["before"], 3),
        "runs_with_fewer_errors": sum(each["after"] < each["before"] for each in ended),
        "runs_with_more_errors": sum(each["after"] > each["before"] for each in ended),
        "mnist_points_lost": round(float(np.mean(lost)), 3),
        "mnist_points_lost_at_most": round(max(lost), 3),
    }


def orders(count: int) -> list[np.ndarray]:
    return [np.arange(count), *(np.random.default_rng(seed).permutation(count) for seed in range(1, ORDERS))]


def seconds(model: Recognizer, digits: Digits) -> dict:
    """From a click on the true digit to the corrected answer, without the page: saving, learning and reading again."""
    taken = []
    judge(model, digits.images[:1])
    misread = np.flatnonzero(see(model, digits).wrong())
    with tempfile.TemporaryDirectory() as folder:
        for index in misread:
            started = time.perf_counter()
            corrections.keep(digits.images[index], int(digits.labels[index]), Path(folder))
            kept = corrections.load(corrections.stored(Path(folder))).digits
            learned = prototypes.learn(model, kept.images, kept.labels)
            (verdict,) = judge(model, digits.images[index][None], learned)
            taken.append(time.perf_counter() - started)
            assert verdict.answer == digits.labels[index]
    return {"corrections": len(taken), "median": float(np.median(taken)), "maximum": max(taken)}


def main() -> None:
    validation, models = data.load_splits().validation, {}
    for model in map(recognizer.load, MODELS):
        forms = list(form_writers(model))
        every = Digits(*(np.concatenate([getattr(each, name) for _, each in forms]) for name in ("images", "labels")))
        models[model.name] = {"forms": measure(forms, validation), "seconds": seconds(model, every)}
        if folder := os.environ.get("DRAWINGS"):
            models[model.name]["drawings"] = measure(list(drawing_authors(model, Path(folder))), validation)
    if (folder := os.environ.get("WRITERS")) and (folds := os.environ.get("FOLDS")):
        models["folds"] = {"MNIST's writers": measure(list(mnist_writers(Path(folder), Path(folds))), validation)}
    constants = {"least_cosine": prototypes.LEAST_COSINE, "margin": prototypes.MARGIN}
    harness.keep("corrections", {"constants": constants, "models": models})


if __name__ == "__main__":
    main()
