"""Running a study: its runs are trained by the trainers' scripts and scored, resumable, on a machine or a cluster."""

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
from digits.data.numpy_files import npz_contents, read_npz, unreadable_as
from digits.files import UNFINISHED, locked, output_folder, replacing, write_text
from digits.jobs import parallel, subprocesses
from digits.studies.declaration import Study, StudyRun

CLEAN = "clean"
MNIST_C = {name: corruption.mnist_c for name, corruption in CORRUPTIONS.items() if corruption.mnist_c}
CORRUPTION_SEED = 0


@dataclass(frozen=True)
class FinishedRun:
    """A run that has been trained and scored.

    Attributes:
        card: the card of its checkpoint.
        correct: whether answers are correct, bool (16, N): for clean digits, then for each MNIST-C corruption.
        ece: expected calibration errors, float (16,), likewise.
        handwriting: whether answers to the handwriting are correct, bool (M,); empty without any.
    """

    run: StudyRun
    card: dict
    correct: np.ndarray
    ece: np.ndarray
    handwriting: np.ndarray


@dataclass(frozen=True)
class Workspace:
    """The folders and threads of a study.

    Attributes:
        folder: holds the runs and the report.
        data_dir: holds `mnist.npz`.
        handwriting: a folder of labelled pictures to score the models on, too, if any.
        threads: the number of threads for each training; 0 for no limit.
    """

    folder: Path
    data_dir: Path = paths.DATA
    handwriting: Path | None = None
    threads: int = 0

    def run_folder(self, run: StudyRun) -> Path:
        """The folder of a run."""
        return self.folder / "runs" / run.name


def run(study: Study, workspace: Workspace, workers: int = 1, scheduler: str | None = None) -> list[FinishedRun]:
    """Do the runs of a study that aren't finished yet, and return all of them.

    Args:
        workers: the number of local processes, each of which does one run at a time.
        scheduler: the address of a `dask.distributed` scheduler to work on instead.

    Raises:
        ValueError: the folder holds runs of another study, or a training failed.
        OSError: the scheduler can't be reached.
    """
    from joblib import Parallel, delayed
    from tqdm import tqdm

    output_folder(workspace.folder / "runs")
    for each in study.runs():
        _claim(workspace.run_folder(each), each, study)
    own_sha256 = _sha256(_own_digits(workspace))
    left = [each for each in study.runs() if not _is_scored(each, own_sha256, workspace)]
    bar = tqdm(total=len(study.runs()), initial=len(study.runs()) - len(left), unit="run", delay=0.1)
    with parallel.backend(workers, scheduler), bar:
        work = (delayed(_do)(each, study.scored_on, workspace) for each in left)
        for name in Parallel(return_as="generator_unordered", pre_dispatch="n_jobs")(work):
            bar.set_postfix_str(f"{name} done")
            bar.update()
    return [_read(each, workspace) for each in study.runs()]


def threads_each(workers: int) -> int:
    """The number of threads for each of several trainings; 0, no limit, for a single one."""
    return max(1, (os.cpu_count() or 1) // workers) if workers > 1 else 0


def clear(study: Study, workspace: Workspace) -> None:
    """Delete the declared runs.

    Raises:
        ValueError: a trainer that outlived its study is still writing to one of them, or something else is in the
            place of a run's folder; then nothing is deleted.
    """
    earlier = [each for each in study.runs() if _is_run(workspace.run_folder(each))]
    for each in earlier:
        trained = workspace.run_folder(each) / each.variant
        if trained.is_dir() and not trained.is_symlink():
            with locked(trained, "--output-dir"):
                pass
    for each in earlier:
        shutil.rmtree(workspace.run_folder(each))


def keep(study: Study, workspace: Workspace, kept: Path) -> None:
    """Copy the files that results are computed from to `kept`, and the checkpoints of a study that may ship models.

    Raises:
        ValueError: something else is in the place of a run's folder.
    """
    for each in study.runs():
        files = ["run.json", f"{each.variant}.json", "answers.npz"]
        if study.scored_on == "test":
            files.append(f"{each.variant}.keras")
        _is_run(kept / each.name)
        folder = output_folder(kept / each.name)
        for name in files:
            with replacing(folder / name) as temporary:
                shutil.copyfile(workspace.run_folder(each) / name, temporary)


def adopt(study: Study, workspace: Workspace, kept: Path) -> None:
    """Copy kept runs that the study's folder lacks, so that they needn't be trained again.

    Raises:
        ValueError: something else is in the place of a run's folder.
    """
    runs = output_folder(workspace.folder / "runs")
    for each in study.runs():
        if not _is_run(workspace.run_folder(each)) and (kept / each.name / "run.json").is_file():
            with tempfile.TemporaryDirectory(prefix=f"{UNFINISHED}adopting-", dir=runs) as staging:
                shutil.copytree(kept / each.name, Path(staging) / each.name).rename(workspace.run_folder(each))


def _is_run(folder: Path) -> bool:
    """Whether a folder is that of a run.

    Raises:
        ValueError: it is something else, which must neither be deleted nor written to.
    """
    for link in (folder, folder.parent):
        if link.is_symlink():
            raise ValueError(f"expected the folder of a run at {folder}, but {link} is a link; remove the link")
    if (folder / "run.json").is_file():
        return True
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise ValueError(f"expected the folder of a run at {folder}, got something without a run.json; move it away")
    return False


def _claim(folder: Path, run: StudyRun, study: Study) -> None:
    """Create a run's folder, or check that the existing one is of the same run."""
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


def _do(run: StudyRun, scored_on: str, workspace: Workspace) -> str:
    """Train a run, unless an interrupted study has done so, and score it; one unit of work for a worker."""
    folder = workspace.run_folder(run)
    if not (folder / f"{run.variant}.json").is_file():
        _train(run, scored_on, workspace)
    _score(run, scored_on, workspace)
    return run.name


def _train(run: StudyRun, scored_on: str, workspace: Workspace) -> None:
    folder = workspace.run_folder(run)
    arguments = [
        paths.ROOT / "src" / f"{run.trainer}.py",
        *run.arguments(),
        *("--data-dir", workspace.data_dir, "--output-dir", folder, "--report-dir", folder),
        "--score-test" if scored_on == "test" else "--no-score-test",
    ]
    if (folder / run.variant / "state.keras").is_file():
        arguments.append("--resume")
    threads = str(workspace.threads)
    limited = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
    limits = dict.fromkeys(limited, threads) if workspace.threads else {}
    log = folder / "log.txt"
    result = subprocesses.run_python(arguments, environment=os.environ | limits, log=log)
    if result.outcome != "done":
        raise ValueError(f"the training of {run.name} failed, see {log}: {result.reason}")


def _score(run: StudyRun, scored_on: str, workspace: Workspace) -> None:
    folder = workspace.run_folder(run)
    recogniser = recognizer.load(run.variant, folder)
    digits = getattr(data.load_splits(workspace.data_dir), scored_on)
    correct, ece = [], []
    for condition, severity in [(CLEAN, 0), *MNIST_C.items()]:
        corrupted = corruptions.corrupt(digits.images, condition, severity, CORRUPTION_SEED)
        found = evaluation.evaluate(recogniser, Digits(corrupted, digits.labels))
        correct.append(found.correct)
        ece.append(metrics.expected_calibration_error(found.probabilities, digits.labels))
    own = _own_digits(workspace)
    answers = {
        "correct": np.stack(correct),
        "ece": np.array(ece),
        "handwriting": evaluation.evaluate(recogniser, own).correct if own else np.zeros(0, bool),
        "handwriting_sha256": _sha256(own),
        "corruptions": corruptions.VERSION,
    }
    with replacing(folder / "answers.npz") as temporary:
        np.savez_compressed(temporary, **answers)


def _own_digits(workspace: Workspace) -> Digits | None:
    return data.load_labelled(workspace.handwriting) if workspace.handwriting else None


def _sha256(digits: Digits | None) -> str:
    return digits.sha256 if digits else ""


def _is_scored(run: StudyRun, own_sha256: str, workspace: Workspace) -> bool:
    """Whether a run has been scored on today's corruptions, and if there is handwriting to score, on that, too."""
    if not (workspace.run_folder(run) / "answers.npz").is_file():
        return False
    answers = _answers(run, workspace)
    if answers["corruptions"] != corruptions.VERSION:
        return False
    return not own_sha256 or str(answers["handwriting_sha256"]) == own_sha256


def _read(run: StudyRun, workspace: Workspace) -> FinishedRun:
    answers = _answers(run, workspace)
    # An earlier start of the study may have had some.
    handwriting = answers["handwriting"] if workspace.handwriting else np.zeros(0, bool)
    card = cards.read(workspace.run_folder(run) / f"{run.variant}.json")
    return FinishedRun(run, card, answers["correct"], answers["ece"], handwriting)


def _answers(run: StudyRun, workspace: Workspace) -> dict[str, np.ndarray]:
    path = workspace.run_folder(run) / "answers.npz"
    with unreadable_as(f"{path} is damaged; delete it and run the study again"):
        answers = {"handwriting_sha256": np.array("")} | read_npz(path, npz_contents(path))
        correct, ece, handwriting = (answers[name].shape for name in ("correct", "ece", "handwriting"))
        if (len(correct), len(handwriting)) != (2, 1) or (correct[0], *ece) != (1 + len(MNIST_C),) * 2:
            raise ValueError("other shapes than a run's")
    return answers
