"""From a trained model to a published checkpoint: saved, exported, scored and described by its card."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from digits import files, metrics
from digits.checkpoints import cards, onnx_export, promises, recognizer, scikit_learn
from digits.data import SPLIT_SEED, Digits, Splits
from digits.images import to_input
from digits.metrics import intervals

PROBE_SIZE = 1000
PREDICTED_AT_ONCE = 500


def publish(model, name: str, folder: Path, splits: Splits, score_test: bool = True, **facts) -> dict:
    """Save a Keras model or a scikit-learn forest with its export and card in `folder`, all at once.

    A temperature is fitted on the validation digits (Guo et al. 2017). A Keras model's logits are divided by it, so
    that the checkpoint itself gives calibrated probabilities. A forest has no logits; readers apply the `temperature`
    on its card. `sure` on the card is what `promises.to_make` proves with the validation digits.

    Args:
        model: a Keras model is changed by that division.
        splits: the validation digits check the export and fit the temperature; they and the test digits are scored
            with the export.
        score_test: whether to score the test digits.
        facts: further fields of the card: `description`, `parameters`, `recipe` and `training` are required;
            `circumstances` is what `cards.circumstances` returned when training began.

    Returns:
        The card.

    Raises:
        ValueError: the name isn't allowed, the folder can't be written to, another process is publishing the same name
            there, or the export differs from the model.
    """
    card = {"name": files.check_name(name, "the name of a checkpoint")} | facts
    probe = probe_of(splits)
    with files.replacing_checkpoint(folder, name) as stage:
        if hasattr(model, "export"):
            path, export = stage / f"{name}.keras", stage / f"{name}.onnx"
            card["folded_temperature"] = _fold_temperature(model, splits.validation)
            difference = onnx_export.save(model, path, probe)
        else:
            path, export = stage / f"{name}.skops", stage / f"{name}.npz"
            difference = scikit_learn.save_forest(model, path, probe)
        card["checkpoint"] = cards.file_entry(path)
        card["export"] = cards.file_entry(export) | {"largest_difference": difference}
        recogniser = recognizer.from_checkpoint(name, path, {})
        probabilities, labels = recogniser.predict_proba(splits.validation.images), splits.validation.labels
        scores = {"validation": _score(probabilities, labels)}
        if score_test:
            scores["test"] = _score(recogniser.predict_proba(splits.test.images), splits.test.labels)
        if "folded_temperature" not in card:
            card["temperature"] = metrics.best_temperature(probabilities, labels)
            probabilities = metrics.temper(probabilities, card["temperature"])
        card["sure"] = promises.to_make(probabilities, labels)
        card |= {
            "input": cards.INPUT_CONTRACT,
            "data": {"name": splits.name, "idx_sha256": dict(splits.idx_sha256)},
            "split": {
                "seed": SPLIT_SEED,
                "train": len(splits.train),
                "validation": len(splits.validation),
                "test": len(splits.test),
            },
            "scores": scores,
            "created": datetime.now(UTC).date().isoformat(),
        }
        cards.write(stage / f"{name}.json", card)
    return card


def probe_of(splits: Splits) -> np.ndarray:
    """The digits on which an export is compared with its model, uint8 (1000, 28, 28)."""
    return splits.validation.images[:PROBE_SIZE]


def summary(card: dict) -> str:
    """One line about a published checkpoint, which trainers print at the end."""
    scores = [
        f"{score['accuracy']:.2%} of {score['n']:,} {part} digits (95 % interval {low:.2%} to {high:.2%})"
        for part, score in reversed(card["scores"].items())
        for low, high in [score["interval"]]
    ]
    return f"{card['name']}: {', '.join(scores)}, {card['parameters']:,} parameters"


def _fold_temperature(model, digits: Digits) -> float:
    """Divide a Keras model's logits by the temperature that fits `digits` best; return the temperature."""
    probabilities = model.predict(to_input(digits.images), batch_size=PREDICTED_AT_ONCE, verbose=0)
    temperature = metrics.best_temperature(probabilities, digits.labels)
    logits = model.get_layer("logits")
    logits.set_weights([weights / temperature for weights in logits.get_weights()])
    return temperature


def _score(probabilities: np.ndarray, labels: np.ndarray) -> dict:
    correct = int(np.sum(probabilities.argmax(axis=1) == labels))
    return intervals.accuracy_with_interval(correct, len(labels)) | {
        "nll": metrics.negative_log_likelihood(probabilities, labels),
        "ece": metrics.expected_calibration_error(probabilities, labels),
    }
