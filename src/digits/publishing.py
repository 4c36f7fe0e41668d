"""From a trained model to a checkpoint that others can trust: saved, scored, described by its card."""

import tempfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from digits import cards, checkpoints, metrics, paths, recognizer, statistics, twin
from digits.data import OFFICIAL_SHA256, SPLIT_SEED, Digits, Splits

PROBE_SIZE = 1000


def publish(model, name: str, folder: Path, splits: Splits, **facts) -> dict:
    """Save a Keras model or a scikit-learn forest with its twin and card, moved into `folder` when all are ready.

    Args:
        splits: the validation digits check the twin and give the temperature; they and the test digits are scored
            through the recogniser.
        facts: what the card says besides: `description`, `architecture`, `parameters`, `recipe`, `training`,
            `circumstances` (as `cards.circumstances` gives them when the training begins), and anything else.

    Returns:
        The card.

    Raises:
        ValueError: the folder can't be written to, or the twin differs from the model.
    """
    paths.output_folder(folder)
    card = {"name": name} | facts
    probe = splits.validation.images[:PROBE_SIZE]
    with tempfile.TemporaryDirectory(prefix=".publishing-", dir=folder) as staging:
        stage = Path(staging)
        if hasattr(model, "export"):
            path, answering = stage / f"{name}.keras", stage / f"{name}.onnx"
            difference = twin.save(model, path, probe)
        else:
            path, answering = stage / f"{name}.skops", stage / f"{name}.npz"
            difference = checkpoints.save_forest(model, path, probe)
        card["checkpoint"] = cards.file_entry(path)
        card["twin"] = cards.file_entry(answering) | {"largest_difference": difference}
        recognise = recognizer.load(answering)
        card |= {
            "input": cards.INPUT_CONTRACT,
            "data": {"name": "MNIST", "idx_sha256": OFFICIAL_SHA256},
            "split": {
                "seed": SPLIT_SEED,
                "train": len(splits.train),
                "validation": len(splits.validation),
                "test": len(splits.test),
            },
            "temperature": metrics.best_temperature(
                recognise.predict_proba(splits.validation.images), splits.validation.labels
            ),
            "scores": {
                "validation": _score(recognise, splits.validation),
                "test": _score(recognise, splits.test),
            },
            "created": datetime.now(UTC).date().isoformat(),
        }
        cards.write(stage / f"{name}.json", card)
        # The card goes last: until then the old one still refuses the new files.
        for file in sorted(stage.iterdir(), key=lambda file: file.suffix == ".json"):
            file.replace(folder / file.name)
    return card


def summary(card: dict) -> str:
    """One line about a published checkpoint, for the end of a trainer."""
    test = card["scores"]["test"]
    low, high = test["interval"]
    return (
        f"{card['name']}: {test['accuracy']:.2%} of {test['n']:,} test digits (95 % interval {low:.2%} to {high:.2%}), "
        f"validation {card['scores']['validation']['accuracy']:.2%}, {card['parameters']:,} parameters"
    )


def _score(recognise: recognizer.Recognizer, digits: Digits) -> dict:
    probabilities = recognise.predict_proba(digits.images)
    correct = int(np.sum(probabilities.argmax(axis=1) == digits.labels))
    return statistics.accuracy_with_interval(correct, len(digits)) | {
        "nll": metrics.negative_log_likelihood(probabilities, digits.labels),
        "ece": metrics.expected_calibration_error(probabilities, digits.labels),
    }
