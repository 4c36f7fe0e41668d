"""Doing a study: every run trained by its trainer's own command and scored, resumable, on one machine or a cluster."""

import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from digits import corruptions, data, evaluation, metrics, paths
from digits.checkpoints import cards, recognizer
from digits.corruptions import CORRUPTIONS
from digits.data import Digits
from digits.files import locked, output_folder, replacing, write_text
from digits.jobs import parallel, subprocesses
from digits.studies.declaration import Run, Study

CLEAN = "clean"
MNIST_C = {name: corruption.mnist_c for name, corruption in CORRUPTIONS.items() if corruption.mnist_c}
DAMAGE_SEED = 0


@dataclass(frozen=True)
class Finished:
    """A run that was trained and scored.

    Attributes:
        card: the checkpoint's.
        correct: which digits it got right, bool (16, N): as they are, then under MNIST-C's corruptions at its levels.
        ece: expected calibration errors, (16,), likewise.
        handwriting: bool (M,), which pictures of other people's handwriting it got right; empty without any.
    """

    run: Run
    card: dict
    correct: np.ndarray
    ece: np.ndarray
    handwriting: np.ndarray


@dataclass(frozen=True)
class Place:
    """Where a study finds its data and keeps its runs.

    Attributes:
        handwriting: a folder of labelled pictures that the models read, too; None without one.
        threads: processor threads that one training may use; 0 for all.
    """

    folder: Path
    data_dir: Path = paths.DATA
    handwriting: Path | None = None
    threads: int = 0

    def of(self, run: Run) -> Path:
        """The folder of a run."""
        return self.folder / "runs" / run.name


def run(study: Study, place: Place, workers: int = 1, scheduler: str | None = None) -> list[Finished]:
    """Do what is left to do of a study, and read all of it.

    Args:
        workers: local processes, each with one training at a time.
        scheduler: the address of a `dask.distributed` scheduler to work on instead.

    Raises:
        ValueError: the folder holds runs of another study, or a training failed.
        OSError: the scheduler can't be reached.
    """
    from joblib import Parallel, delayed
    from tqdm import tqdm

    output_folder(place.folder / "runs")
    for each in study.runs():
        _claim(place.of(each), each, study)
    left = [each for each in study.runs() if not (place.of(each) / "answers.npz").is_file()]
    bar = tqdm(total=len(study.runs()), initial=len(study.runs()) - len(left), unit="run", delay=0.1)
    with parallel.backend(workers, scheduler), bar:
        work = (delayed(_do)(each, study.scored_on, place) for each in left)
        for name in Parallel(return_as="generator_unordered", pre_dispatch="n_jobs")(work):
            bar.set_postfix_str(f"{name} done")
            bar.update()
    return [_read(each, place) for each in study.runs()]


def threads_each(workers: int) -> int:
    """A training's share of the processor; 0, no limit, if it has the processor for itself."""
    return max(1, (os.cpu_count() or 1) // workers) if workers > 1 else 0


def clear(study: Study, place: Place) -> None:
    """Delete the declared runs.

    Raises:
        ValueError: a trainer of a study that was killed is still writing to one of them, or there is something else
            where the folder of a run belongs; nothing is deleted then.
    """
    earlier = [each for each in study.runs() if _is_run(place.of(each))]
    for each in earlier:
        trained = place.of(each) / each.variant
        if trained.is_dir() and not trained.is_symlink():
            with locked(trained, "--output-dir"):
                pass
    for each in earlier:
        shutil.rmtree(place.of(each))


def keep(study: Study, place: Place, kept: Path) -> None:
    """Copy to `kept` what the results of each run come from, and the checkpoints of networks that may be shipped.

    Raises:
        ValueError: there is something else where the folder of a run belongs.
    """
    for each in study.runs():
        files = ["run.json", f"{each.variant}.json", "answers.npz"]
        if study.scored_on == "test":
            files.append(f"{each.variant}.keras")
        _is_run(kept / each.name)
        folder = output_folder(kept / each.name)
        for name in files:
            with replacing(folder / name) as temporary:
                shutil.copyfile(place.of(each) / name, temporary)


def adopt(study: Study, place: Place, kept: Path) -> None:
    """Take over the runs that were kept and that the study's folder lacks: they needn't be trained again.

    Raises:
        ValueError: there is something else where the folder of a run belongs.
    """
    runs = output_folder(place.folder / "runs")
    for each in study.runs():
        if not _is_run(place.of(each)) and (kept / each.name / "run.json").is_file():
            with tempfile.TemporaryDirectory(prefix=".adopting-", dir=runs) as staging:
                shutil.copytree(kept / each.name, Path(staging) / each.name).rename(place.of(each))


def _is_run(folder: Path) -> bool:
    """Whether there is a run's folder already.

    Raises:
        ValueError: there is something else, which must neither be deleted nor written into.
    """
    if folder.is_symlink():
        raise ValueError(f"expected the folder of a run at {folder}, got a link; remove the link")
    if (folder / "run.json").is_file():
        return True
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise ValueError(f"expected the folder of a run at {folder}, got something without a run.json; move it away")
    return False


def _claim(folder: Path, run: Run, study: Study) -> None:
    """Make a run's folder this run's, or refuse it if it holds another recipe's or something else."""
    path = folder / "run.json"
    recipe = {"trainer": run.trainer, "arguments": run.arguments(), "scored_on": study.scored_on}
    wanted = json.dumps(recipe, indent=1)
    if not _is_run(folder):
        output_folder(folder)
        write_text(path, wanted)
    elif path.read_text(encoding="utf-8", errors="replace") != wanted:
        raise ValueError(
            f"{folder} holds a run with other options than {study.name} declares now; --restart deletes the "
            "study's runs, another --output-dir keeps them"
        )


def _do(run: Run, scored_on: str, place: Place) -> str:
    """Train a run, unless a stopped study has done that already, and score it; the unit of work that a worker gets."""
    folder = place.of(run)
    if not (folder / f"{run.variant}.json").is_file():
        _train(run, scored_on, place)
    _score(run, scored_on, place)
    return run.name


def _train(run: Run, scored_on: str, place: Place) -> None:
    folder = place.of(run)
    arguments = [
        paths.ROOT / "src" / f"{run.trainer}.py",
        *run.arguments(),
        *("--data-dir", place.data_dir, "--output-dir", folder, "--report-dir", folder),
        "--score-test" if scored_on == "test" else "--no-score-test",
    ]
    if (folder / run.variant / "state.keras").is_file():
        arguments.append("--resume")
    threads = str(place.threads)
    limited = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
    limits = dict.fromkeys(limited, threads) if place.threads else {}
    log = folder / "log.txt"
    result = subprocesses.run_python(arguments, environment=os.environ | limits, log=log)
    if result.outcome != "done":
        raise ValueError(f"the training of {run.name} failed, see {log}: {result.reason}")


def _score(run: Run, scored_on: str, place: Place) -> None:
    folder = place.of(run)
    recognise = recognizer.load(run.variant, folder)
    digits = getattr(data.load_splits(place.data_dir), scored_on)
    correct, ece = [], []
    for condition, severity in [(CLEAN, 0), *MNIST_C.items()]:
        damaged = corruptions.corrupt(digits.images, condition, severity, DAMAGE_SEED)
        found = evaluation.evaluate(recognise, Digits(damaged, digits.labels))
        correct.append(found.correct)
        ece.append(metrics.expected_calibration_error(found.probabilities, digits.labels))
    handwriting = np.zeros(0, bool)
    if place.handwriting:
        handwriting = evaluation.evaluate(recognise, data.load_labelled(place.handwriting)).correct
    with replacing(folder / "answers.npz") as temporary:
        np.savez_compressed(temporary, correct=np.stack(correct), ece=np.array(ece), handwriting=handwriting)


def _read(run: Run, place: Place) -> Finished:
    folder = place.of(run)
    with np.load(folder / "answers.npz", allow_pickle=False) as stored:
        return Finished(run, cards.read(folder / f"{run.variant}.json"), **stored)
