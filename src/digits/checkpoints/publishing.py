"""From a trained model to a checkpoint that others can trust: saved, scored, described by its card."""

import tempfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from digits import files, metrics
from digits.checkpoints import cards, onnx_export, recognizer, scikit_learn
from digits.data import OFFICIAL_SHA256, SPLIT_SEED, Digits, Splits
from digits.images import to_input
from digits.metrics import intervals

PROBE_SIZE = 1000
PREDICTED_AT_ONCE = 500
# Of the answers that a model is sure of, as many of the validation digits' may be wrong.
SURE_ERROR_RATE = 0.001


def publish(model, name: str, folder: Path, splits: Splits, score_test: bool = True, **facts) -> dict:
    """Save a Keras model or a scikit-learn forest with its export and card, moved into `folder` when all are ready.

    A temperature is fitted on the validation digits (Guo et al. 2017). A Keras model's logits are divided by it, so
    that whoever loads the checkpoint gets calibrated probabilities. A forest has no logits; readers apply the
    `temperature` on its card. `sure` on the card says from which confidence on hardly any validation digit is read
    wrongly.

    Args:
        model: changed by that division.
        splits: the validation digits check the export and give the temperature; they and the test digits are scored
            through the recogniser.
        score_test: False leaves the test digits alone.
        facts: what the card says besides: `description`, `parameters`, `recipe` and `training`, without which it is
            none; `architecture`, `circumstances` (as `cards.circumstances` gives them when the training begins), and
            anything else.

    Returns:
        The card.

    Raises:
        ValueError: it can't be called that, the folder can't be written to, another process is publishing the same
            name there, or the export differs from the model.
    """
    card = {"name": files.check_name(name, "the name of a checkpoint")} | facts
    probe = probe_of(splits)
    with (
        files.locked(folder, "name", name),
        tempfile.TemporaryDirectory(prefix=".publishing-", dir=folder) as staging,
    ):
        stage = Path(staging)
        if hasattr(model, "export"):
            path, answering = stage / f"{name}.keras", stage / f"{name}.onnx"
            card["folded_temperature"] = _fold_temperature(model, splits.validation)
            difference = onnx_export.save(model, path, probe)
        else:
            path, answering = stage / f"{name}.skops", stage / f"{name}.npz"
            difference = scikit_learn.save_forest(model, path, probe)
        card["checkpoint"] = cards.file_entry(path)
        card["export"] = cards.file_entry(answering) | {"largest_difference": difference}
        recognise = recognizer.load(answering)
        answers, labels = recognise.predict_proba(splits.validation.images), splits.validation.labels
        scores = {"validation": _score(answers, labels)}
        if score_test:
            scores["test"] = _score(recognise.predict_proba(splits.test.images), splits.test.labels)
        if "folded_temperature" not in card:
            card["temperature"] = metrics.best_temperature(answers, labels)
            answers = metrics.temper(answers, card["temperature"])
        card["sure"] = {
            "error_rate": SURE_ERROR_RATE,
            "threshold": metrics.sure_threshold(answers, labels, SURE_ERROR_RATE),
        }
        card |= {
            "input": cards.INPUT_CONTRACT,
            "data": {"name": "MNIST", "idx_sha256": OFFICIAL_SHA256},
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
        # The card goes last: until then the old one still refuses the new files.
        for file in sorted(stage.iterdir(), key=lambda file: file.suffix == ".json"):
            file.replace(folder / file.name)
    return card


def probe_of(splits: Splits) -> np.ndarray:
    """The digits on which an export is held against its model, uint8 (1000, 28, 28)."""
    return splits.validation.images[:PROBE_SIZE]


def summary(card: dict) -> str:
    """One line about a published checkpoint, for the end of a trainer."""
    scores = [
        f"{score['accuracy']:.2%} of {score['n']:,} {part} digits (95 % interval {low:.2%} to {high:.2%})"
        for part, score in reversed(card["scores"].items())
        for low, high in [score["interval"]]
    ]
    return f"{card['name']}: {', '.join(scores)}, {card['parameters']:,} parameters"


def _fold_temperature(model, digits: Digits) -> float:
    """Divide a Keras model's logits by the temperature that fits `digits` best; give the temperature."""
    answers = model.predict(to_input(digits.images), batch_size=PREDICTED_AT_ONCE, verbose=0)
    temperature = metrics.best_temperature(answers, digits.labels)
    logits = model.get_layer("logits")
    logits.set_weights([weights / temperature for weights in logits.get_weights()])
    return temperature


def _score(probabilities: np.ndarray, labels: np.ndarray) -> dict:
    correct = int(np.sum(probabilities.argmax(axis=1) == labels))
    return intervals.accuracy_with_interval(correct, len(labels)) | {
        "nll": metrics.negative_log_likelihood(probabilities, labels),
        "ece": metrics.expected_calibration_error(probabilities, labels),
    }
