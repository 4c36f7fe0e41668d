"""Corruption sweeps of models: the committed one, or a quick one run from the page."""

import csv
import json
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import streamlit as st

from digits import files, paths
from digits.corruptions import CORRUPTIONS
from digits.jobs.queue import Job
from digits.robustness.plan import CLEAN
from panels import cache
from panels.cache import Model

COMMITTED = paths.ROOT / "docs" / "robustness"
MEAN = "mean over corruptions"
QUICK_IMAGES = 1000
QUICK_CELLS = 1 + 3 * len(CORRUPTIONS)


@dataclass(frozen=True)
class Sweep:
    """The results of a sweep for one model.

    Attributes:
        images: the number of digits.
        curves: by corruption, and for their `MEAN`: severities, accuracies and the bounds of 95 % intervals. The mean
            has no interval here, because all corruptions use the same digits.
    """

    images: int
    curves: dict[str, list[tuple[int, float, float, float]]]


def known(model: Model) -> Sweep | None:
    """The committed sweep of a model, or an earlier quick one; None if there is none of this version of its file."""
    for folder in (COMMITTED, _folder(model)):
        summary = _summary(folder)
        if summary.get("models", {}).get(model.name) == _sha256(model):
            table = folder / "results.csv"
            return Sweep(summary["images"], _read(table, table.stat().st_mtime_ns, model.name))
    return None


def accuracy_when_damaged(card: dict) -> float | None:
    """The mean accuracy over corruptions in the committed sweep, if that had the file which the card describes."""
    summary = _summary(COMMITTED)
    if summary.get("models", {}).get(card["name"]) != card["checkpoint"]["sha256"]:
        return None
    return next(each["all"]["value"] for each in summary["headline"] if each["model"] == card["name"])


def _summary(folder: Path) -> dict:
    """The summary of the sweep in a folder; empty if there is none that can be read."""
    path = folder / "summary.json"
    with suppress(OSError, ValueError):
        return _read_summary(path, path.stat().st_mtime_ns)
    return {}


@st.cache_resource(max_entries=16, show_spinner=False)
def _read_summary(path: Path, changed: int) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def start_quick(model: Model) -> Job:
    """Queue a quick sweep of a checkpoint: 1,000 digits, three severities.

    Raises:
        ValueError: the queue is full.
    """
    folder = _folder(model)
    script = [paths.ROOT / "src" / "evaluate_robustness.py", "--quick", "--no-worst-case", "--restart"]
    return cache.queue().submit(
        f"Quick sweep of {model.name}",
        [*script, "--models", model.recogniser.path, "--output-dir", folder],
        progress=lambda: len(list((folder / "cells").glob("[!.]*.npz"))) / QUICK_CELLS,
    )


def _folder(model: Model) -> Path:
    return paths.REPORTS / "app" / "sweeps" / files.safe_name(model.name)


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs=cache.BY_KEY)
def _sha256(model: Model) -> str:
    return files.sha256(model.recogniser.path)


@st.cache_resource(max_entries=64, show_spinner=False)
def _read(path: Path, changed: int, name: str) -> dict[str, list[tuple[int, float, float, float]]]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["model"] == name]
    points: dict[str, list[tuple[int, float, float, float]]] = {}
    for row in rows:
        accuracy, low, high = (float(row[f"accuracy{end}"]) for end in ("", "_low", "_high"))
        points.setdefault(row["corruption"], []).append((int(row["severity"]), accuracy, low, high))
    clean = points.get(CLEAN, [])
    curves = {corruption: clean + sorted(points.get(corruption, [])) for corruption in CORRUPTIONS}
    accuracies: dict[int, list[float]] = {}
    for severity, accuracy, _, _ in chain.from_iterable(points.values()):
        accuracies.setdefault(severity, []).append(accuracy)
    means = {severity: sum(values) / len(values) for severity, values in sorted(accuracies.items())}
    return {MEAN: [(severity, mean, mean, mean) for severity, mean in means.items()]} | curves
