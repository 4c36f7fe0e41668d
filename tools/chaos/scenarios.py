"""What is disturbed: work that writes files, and how to tell that these are whole and right.

The work runs in forked processes. Until then nothing may start a thread: no model is run, no ONNX session opened.
"""

import importlib
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from digits import data, files, paths
from digits.checkpoints import publishing, recognizer
from digits.corruptions import CORRUPTIONS
from digits.data import Splits
from digits.handwriting import collection
from digits.images import to_input
from digits.robustness import sweep
from digits.robustness.plan import Model, Plan

NAME = "model"
# What the work would otherwise import in every process, which takes longer than the work.
PRELOADED = ("filelock", "joblib", "onnxruntime", "scipy.optimize", "skops.io", "sklearn.ensemble", "tqdm")


@dataclass(frozen=True)
class Scenario:
    """Work that writes to a folder, and can be repeated there after it was disturbed.

    Attributes:
        work: takes the folder and the number of the turn.
        starts_empty: whether it has something to do only in a folder in which it isn't complete.
        check: raises an AssertionError if a file isn't whole; returns whether the work is complete, and right then.
    """

    work: Callable[[Path, int], None]
    check: Callable[[Path], bool]
    starts_empty: bool


@cache
def small_mnist() -> Splits:
    """A few hundred digits in three parts; also loads what the work imports."""
    for module in PRELOADED:
        importlib.import_module(module)
    splits = data.load_splits()
    return Splits(splits.train.first(1000), splits.validation.first(300), splits.test.first(100))


def saving() -> Scenario:
    """Publish one of two forests over the other one."""
    from sklearn.ensemble import RandomForestClassifier

    splits = small_mnist()
    ink = to_input(splits.train.images).reshape(len(splits.train), -1)
    forests = [
        RandomForestClassifier(5, max_depth=6, random_state=seed).fit(ink, splits.train.labels) for seed in (0, 1)
    ]
    probe = to_input(splits.test.images).reshape(len(splits.test), -1)
    answers = [forest.predict_proba(probe) for forest in forests]

    def work(folder: Path, turn: int) -> None:
        facts = {"description": f"forest {turn % 2}", "parameters": 0, "recipe": {}, "training": {"seconds": 0.0}}
        publishing.publish(forests[turn % 2], NAME, folder, splits, **facts)

    def check(folder: Path) -> bool:
        found = recognizer.load(NAME, folder)
        probabilities = found.predict_proba(splits.test.images)
        np.testing.assert_allclose(probabilities, answers[int(found.card["description"][-1])], atol=1e-6)
        return True

    return Scenario(work, check, starts_empty=False)


def collecting() -> Scenario:
    """Save twenty drawings to a collection."""
    digits = small_mnist().test.first(20)
    drawings = [np.pad(255 - image, 40, constant_values=255) for image in digits.images]

    def work(folder: Path, turn: int) -> None:
        for drawing, digit in zip(drawings, digits.labels, strict=True):
            collection.save(drawing, int(digit), folder)

    def check(folder: Path) -> bool:
        entries = collection.entries(folder)
        assert not [entry.path for entry in entries if entry.problem]
        assert set(folder.rglob("[!.]*.*")) == {entry.path for entry in entries}
        return len(entries) == len(drawings)

    return Scenario(work, check, starts_empty=True)


def sweeping() -> Scenario:
    """Sweep two corruptions."""
    path = paths.MODELS / "mnist_logistic.keras"
    digits = small_mnist().test.first(50)
    corruptions = CORRUPTIONS["fog"], CORRUPTIONS["rotate"]
    model = Model("mnist_logistic", str(path), files.sha256(path))
    plan = Plan(digits, np.arange(50), "digits", (model,), corruptions, (1, 2, 3, 4, 5), 0)
    right: dict[str, bytes] = {}

    def work(folder: Path, turn: int) -> None:
        sweep.run(plan, folder, batch_size=50)

    def check(folder: Path) -> bool:
        for cell in (folder / "cells").glob("[!.]*.npz"):
            with np.load(cell) as arrays:
                answers = arrays["answers"].tobytes()
                # The first sweep wasn't disturbed.
                assert right.setdefault(cell.name, answers) == answers
        if not (folder / "manifest.json").is_file():
            return False
        json.loads((folder / "manifest.json").read_text("utf-8"))
        return len(list((folder / "cells").glob("[!.]*.npz"))) == len(plan.cells())

    return Scenario(work, check, starts_empty=True)


def training() -> Scenario:
    """Train a small network for four epochs, from where it was, and publish it."""
    from digits import backend

    backend.load_keras()
    from digits.training import architectures, loop
    from digits.training.recipe import Recipe

    recipe = Recipe(epochs=4, batch_size=50, limit=200, ema_momentum=0.9, precision="float32")
    right: list[float] = []

    def work(folder: Path, turn: int) -> None:
        can_resume = (folder / "run" / "state.keras").is_file()
        trained = loop.fit(architectures.mlp, small_mnist(), recipe, folder=folder / "run", resume=can_resume)
        facts = loop.facts(trained, recipe)
        publishing.publish(trained.model, NAME, folder, small_mnist(), description="small", **facts)

    def check(folder: Path) -> bool:
        for checkpoint in folder.rglob("[!.]*.keras"):
            with zipfile.ZipFile(checkpoint) as archive:
                assert archive.testzip() is None
        if (folder / "run" / "history.json").is_file():
            json.loads((folder / "run" / "history.json").read_text("utf-8"))
        if not (folder / f"{NAME}.json").is_file():
            return False
        card = recognizer.confirming_card(folder / f"{NAME}.keras")
        losses = card["training"]["history"]["val_loss"]
        right[:] = right or losses
        np.testing.assert_allclose(losses, right, rtol=1e-4)
        return True

    return Scenario(work, check, starts_empty=True)


def fine_tuning() -> Scenario:
    """Fine-tune a network on the sample of handwriting, and publish it if that gains anything."""
    from digits import backend

    backend.load_keras()
    from digits.handwriting import dataset, finetuning, personal_model

    mine = dataset.load(paths.MY_DIGITS / "sample")
    base = paths.MODELS / "mnist_mlp.keras"
    recipe = finetuning.Recipe(warm_up_steps=20, rounds=1, steps_per_round=20, largest_accuracy_drop=0.1)

    def work(folder: Path, turn: int) -> None:
        tuner = finetuning.FineTuner(base, small_mnist(), recipe)
        made = personal_model.make(recognizer.load(base), tuner, mine, 2, NAME, folder, lambda: None)
        assert made.card

    def check(folder: Path) -> bool:
        assert recognizer.confirming_card(folder / f"{NAME}.keras")["base"]["name"] == "mnist_mlp"
        return True

    return Scenario(work, check, starts_empty=False)
