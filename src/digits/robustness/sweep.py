"""Run a corruption sweep: every model on the same corrupted digits, on one machine or a cluster.

A cell is one corruption at one severity. Its images are corrupted once, in batches, for all models. Each cell's results
are a file, so an interrupted sweep resumes.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from digits import files, metrics
from digits.checkpoints import promises
from digits.corruptions import CORRUPTIONS, corrupt
from digits.data.numpy_files import read_npz, unreadable_as
from digits.jobs import parallel
from digits.metrics import intervals
from digits.robustness.plan import Plan, open_model


@dataclass(frozen=True)
class Cell:
    """The results of all models under one corruption at one severity.

    Attributes:
        corruption: its name; `clean` at severity 0.
        severity: 0 to 5.
        images_sha256: of the corrupted images, in order.
        seconds: float (1 + models,), the time to corrupt the images, then each model's time to classify them.
        answers: uint8 (models, N), the predicted digits.
        confidence: float16 (models, N), the probability of each answer.
        mean_confidence: float (models,).
        nll, brier, ece: float (models,).
        is_sure: bool (models, N), of which answers the model is sure.
        is_covered: bool (models, N), which prediction sets have the true digit.
        set_size: uint8 (models, N), the number of digits in each set.
    """

    corruption: str
    severity: int
    images_sha256: str
    seconds: np.ndarray
    answers: np.ndarray
    confidence: np.ndarray
    mean_confidence: np.ndarray
    nll: np.ndarray
    brier: np.ndarray
    ece: np.ndarray
    is_sure: np.ndarray
    is_covered: np.ndarray
    set_size: np.ndarray


def run_cell(plan: Plan, corruption: str, severity: int, batch_size: int) -> Cell:
    """Corrupt the digits and classify them with every model; a worker's unit of work."""
    digits = plan.digits
    recognisers = [open_model(model) for model in plan.models]
    content = hashlib.sha256()
    seconds = np.zeros(len(recognisers) + 1)
    probabilities = np.empty((len(recognisers), len(digits), 10), np.float32)
    for start in range(0, len(digits), batch_size):
        part = slice(start, start + batch_size)
        began = perf_counter()
        corrupted = corrupt(digits.images[part], corruption, severity, plan.seed, plan.indices[part])
        content.update(corrupted.tobytes())
        seconds[0] += perf_counter() - began
        for model, recogniser in enumerate(recognisers):
            began = perf_counter()
            probabilities[model, part] = recogniser.predict_proba(corrupted)
            seconds[model + 1] += perf_counter() - began
    promised = list(zip([promises.made(recogniser.card) for recogniser in recognisers], probabilities, strict=True))
    sets = np.stack([promise.sets(each) for promise, each in promised])
    return Cell(
        corruption,
        severity,
        content.hexdigest(),
        seconds,
        probabilities.argmax(axis=2).astype(np.uint8),
        probabilities.max(axis=2).astype(np.float16),
        probabilities.max(axis=2).mean(axis=1),
        np.array([metrics.negative_log_likelihood(each, digits.labels) for each in probabilities]),
        np.array([metrics.brier_score(each, digits.labels) for each in probabilities]),
        np.array([metrics.expected_calibration_error(each, digits.labels) for each in probabilities]),
        np.stack([promise.is_sure(each) for promise, each in promised]),
        sets[:, np.arange(len(digits)), digits.labels],
        sets.sum(axis=2).astype(np.uint8),
    )


def run(plan: Plan, folder: Path, batch_size: int, workers: int = 1, scheduler: str | None = None) -> "Results":
    """Run the cells of a plan that aren't in `folder` yet, save each, and load all of them.

    Args:
        batch_size: images processed together; doesn't affect the results.
        workers: local processes; 1 uses the current one.
        scheduler: address of a `dask.distributed` scheduler to use instead.

    Raises:
        ValueError: `folder` contains cells of another plan, or a number is below 1.
        OSError: the scheduler can't be reached.
    """
    from joblib import Parallel, delayed
    from tqdm import tqdm

    if batch_size < 1 or workers < 1:
        raise ValueError(f"batch size and workers must be at least 1, got {batch_size} and {workers}")
    cells = files.output_folder(folder / "cells")
    _claim(folder, plan)
    left = [cell for cell in plan.cells() if not _cell_path(cells, *cell).is_file()]
    bar = tqdm(total=len(plan.cells()), initial=len(plan.cells()) - len(left), unit="cell", delay=0.1)

    def units() -> Iterator:
        for corruption, severity in left:
            bar.set_postfix_str(f"{corruption} {severity}" if severity else corruption)
            # Every worker gets the whole plan. joblib would keep a plain array on a single worker of a cluster, and the
            # sweep would fail with that worker.
            yield delayed(run_cell)(plan, corruption, severity, batch_size)

    with parallel.backend(workers, scheduler), bar:
        for cell in Parallel(return_as="generator_unordered")(units()):
            assert isinstance(cell, Cell), "workers return cells"
            with files.replacing(_cell_path(cells, cell.corruption, cell.severity)) as temporary:
                np.savez_compressed(temporary, **asdict(cell))
            bar.update()
    results = load(plan, folder)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    hashes = {f"{cell.corruption}-{cell.severity}": cell.images_sha256 for cell in results.cells}
    manifest["corrupted_images_sha256"] = manifest.get("corrupted_images_sha256", {}) | hashes
    files.write_text(folder / "manifest.json", json.dumps(manifest, indent=1))
    return results


def _claim(folder: Path, plan: Plan) -> None:
    """Mark the folder as this plan's.

    Raises:
        ValueError: it contains the cells of another plan.
    """
    path = folder / "manifest.json"
    wanted = plan.manifest()
    if not path.is_file():
        if any((folder / "cells").glob("[!.]*.npz")):
            raise ValueError(f"{folder} contains cells of a sweep but no manifest.json; --restart deletes them")
        files.write_text(path, json.dumps(wanted, indent=1))
        return
    try:
        found = dict(json.loads(path.read_text(encoding="utf-8")))
        # The corruptions of this plan may be others.
        wanted["levels"] = found["levels"] | wanted["levels"]
        found["levels"] = wanted["levels"] | found["levels"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ValueError(f"{path} is damaged; delete {folder} or choose another --output-dir") from error
    if different := [name for name, value in wanted.items() if found.get(name) != value]:
        raise ValueError(
            f"{folder} contains a sweep with other {', '.join(different)}; delete it with --restart, or choose another "
            "--output-dir"
        )
    files.write_text(path, json.dumps(found, indent=1))


def clear(folder: Path) -> None:
    """Delete the cells and the manifest of an earlier sweep."""
    for cell in (folder / "cells").glob("*.npz"):
        cell.unlink()
    (folder / "manifest.json").unlink(missing_ok=True)


def _cell_path(cells: Path, corruption: str, severity: int) -> Path:
    return cells / f"{corruption}-{severity}.npz"


@dataclass(frozen=True)
class Results:
    """A finished sweep: its plan, and its cells in the order of the plan."""

    plan: Plan
    cells: list[Cell]

    @cached_property
    def correct(self) -> np.ndarray:
        """Which answers are correct, bool (cells, models, N)."""
        return np.stack([cell.answers for cell in self.cells]) == self.plan.digits.labels

    def best_first(self) -> "Results":
        """The same results with the models sorted by their mean accuracy over corruptions."""
        order = np.argsort(-self.correct[1:].mean(axis=(0, 2)), kind="stable")
        by_model = {field.name for field in fields(Cell)} - {"corruption", "severity", "images_sha256", "seconds"}
        cells = [
            replace(
                cell,
                seconds=cell.seconds[np.concatenate([[0], order + 1])],
                **{name: getattr(cell, name)[order] for name in by_model},
            )
            for cell in self.cells
        ]
        return Results(replace(self.plan, models=tuple(self.plan.models[index] for index in order)), cells)

    def rows(self) -> list[dict]:
        """The long table, one row per model and cell."""
        rows = []
        for cell, correct in zip(self.cells, self.correct, strict=True):
            known = CORRUPTIONS.get(cell.corruption)
            for index, model in enumerate(self.plan.models):
                scores = intervals.accuracy_with_interval(int(correct[index].sum()), correct.shape[-1])
                low, high = scores.pop("interval")
                sure = cell.is_sure[index]
                rows.append(
                    {
                        "model": model.name,
                        "corruption": cell.corruption,
                        "severity": cell.severity,
                        "parameter": known.amount(cell.severity) if known else None,
                        "unit": known.unit if known else None,
                        "mnist_c": bool(known and known.mnist_c == cell.severity),
                        **scores,
                        "accuracy_low": low,
                        "accuracy_high": high,
                        "nll": float(cell.nll[index]),
                        "brier": float(cell.brier[index]),
                        "ece": float(cell.ece[index]),
                        "mean_confidence": float(cell.mean_confidence[index]),
                        "sure": float(sure.mean()),
                        "sure_but_wrong": float(np.mean(~correct[index][sure])) if sure.any() else None,
                        "not_covered": float((~cell.is_covered[index]).mean()),
                        "mean_set_size": float(cell.set_size[index].mean()),
                        "seconds": float(cell.seconds[index + 1]),
                        "corruption_seconds": float(cell.seconds[0]),
                    }
                )
        return rows


def load(plan: Plan, folder: Path) -> Results:
    """Load the cells of a finished sweep."""
    return Results(plan, [_read_cell(_cell_path(folder / "cells", *cell)) for cell in plan.cells()])


def _read_cell(path: Path) -> Cell:
    with unreadable_as(f"{path} is not a valid cell of a sweep; delete it and run the sweep again"):
        arrays: dict[str, Any] = read_npz(path, [field.name for field in fields(Cell)])
    plain = {"corruption": str, "severity": int, "images_sha256": str}
    return Cell(**arrays | {name: kind(arrays[name]) for name, kind in plain.items()})
