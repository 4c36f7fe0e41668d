"""What fine-tuning gains and costs on real people's digits, by bases to which each of them is a stranger.

Five bases are trained by the standard CNN's recipe, each without a fifth of MNIST's writers. For half of the students
and half of scikit-learn's forms, a base is fine-tuned on 1, 3 and 5 digits of each class and reads the rest. Forgetting
is measured on the fold's other people, from whom neither the base nor the fine-tuning learnt, and on whom nothing was
chosen. Each result is written as soon as it is there, so an interrupted run resumes. The recipe is chosen on the half
for tuning, such as with `--half tuning --sizes 5 --recipe.learning-rate 1e-3`; MNIST's test digits aren't used at all.
"""

import hashlib
import json
import os
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

import harness
import numpy as np

import train_cnn
from digits import cli, files, paths
from digits.checkpoints import cards, publishing
from digits.data import Digits
from digits.handwriting import finetuning
from digits.jobs import parallel
from digits.training import architectures, loop
from tools import real_writers
from tools.real_writers import FOLDS, MnistFolds, Person

# Digits in other styles would bring back what is held out: some are drawn from MNIST, others are scikit-learn's own.
BASE = replace(train_cnn.RECIPE, style_fraction=0.0)
# Each form is fine-tuned on several draws, by another base each, because the forms are few.
FORM_DRAWS = FOLDS


@dataclass(frozen=True, kw_only=True)
class Options:
    writers: Path
    """Folder with QMNIST's labels of the training digits."""
    folder: Path = paths.REPORTS / "real_writers"
    """Folder for the bases and the results of each fine-tuning."""
    bases_only: bool = False
    """Only train the bases that are missing."""
    half: Literal["tuning", "report"] = "report"
    """Which half of the people to fine-tune for."""
    people: tuple[Literal["students", "forms"], ...] = ("students", "forms")
    """Whose digits: MNIST's students, scikit-learn's forms, or both."""
    sizes: tuple[int, ...] = (1, 3, 5)
    """Digits to learn of each class."""
    limit: int | None = None
    """Number of students, for a quick trial; all by default."""
    folds: tuple[int, ...] = tuple(range(FOLDS))
    """Folds whose bases are trained and fine-tuned."""
    processes: int = 2
    """Folds that are fine-tuned at once."""
    recipe: finetuning.Recipe = field(default_factory=finetuning.Recipe)
    """The recipe of fine-tuning."""
    base: train_cnn.Recipe = BASE
    """The recipe of the bases."""

    @property
    def is_benchmark(self) -> bool:
        """Whether the results are those to keep, rather than a trial's."""
        defaults = Options(writers=self.writers)
        chosen = ("half", "people", "sizes", "limit", "folds", "recipe", "base")
        return all(getattr(self, name) == getattr(defaults, name) for name in chosen)


@dataclass(frozen=True)
class Task:
    kind: str
    person: Person
    size: int
    draw: int
    fold: int

    @property
    def key(self) -> str:
        return f"{self.kind} {self.person.name}, {self.size} a class, draw {self.draw}"


def name_of(number: int) -> str:
    return f"fold_{number}"


def train_base(number: int, folds: MnistFolds, options: Options) -> dict:
    """Train and publish a fold's base, unless it is there; return its card."""
    path, recipe = options.folder / f"{name_of(number)}.json", loop.describe(options.base)
    if path.is_file():
        card = cards.read(path)
        if card["recipe"] != recipe:
            raise ValueError(f"{path} was trained by another recipe; choose another --folder")
        return card
    splits, run = folds.splits(number), options.folder / f"{name_of(number)}_run"
    build, is_begun = architectures.ARCHITECTURES[options.base.architecture], (run / "state.keras").is_file()
    trained = loop.fit(build, splits, options.base, folder=run, resume=is_begun)
    card = publishing.publish(
        trained.model,
        name_of(number),
        options.folder,
        splits,
        description=f"{splits.name}; its test digits are that fold's",
        **loop.facts(trained, options.base),
    )
    print(publishing.summary(card), flush=True)
    return card


def tasks(folds: MnistFolds, options: Options) -> list[Task]:
    """The fine-tunings of a half, the largest size first."""
    is_report, sizes = options.half == "report", sorted(options.sizes, reverse=True)
    chosen = []
    if "students" in options.people:
        # The same halves for all sizes.
        students = [
            each
            for each in real_writers.half(folds.students(least=5), is_report)
            if np.bincount(each.digits.labels, minlength=10).min() >= max(sizes)
        ][: options.limit]
        chosen += [Task("students", each, size, 0, each.fold) for each in students for size in sizes]
    if "forms" in options.people:
        chosen += [
            Task("forms", each, size, draw, (each.fold + draw) % FOLDS)
            for each in real_writers.half(real_writers.forms(), is_report)
            for draw in range(FORM_DRAWS)
            for size in sizes
        ]
    return chosen


def tune_fold(number: int, chosen: list[Task], folds: MnistFolds, options: Options) -> list[dict]:
    """Fine-tune a fold's base for each task that isn't done, and give the rows of all."""
    base = options.folder / f"{name_of(number)}.keras"
    # Results by another recipe, code or base are in another file.
    made_by = [json.dumps(asdict(options.recipe)), files.sha256(Path(finetuning.__file__)), files.sha256(base)]
    path = options.folder / f"tuned-{number}-{hashlib.sha256(repr(made_by).encode()).hexdigest()[:12]}.json"
    rows = {row["key"]: row for row in (json.loads(path.read_bytes()) if path.is_file() else [])}
    if waiting := [task for task in chosen if task.key not in rows]:
        tuner, untuned = finetuning.FineTuner(base, folds.splits(number), options.recipe), finetuning.tunable(base)
        members = folds.fold == number
        strangers, names = folds.digits.at(members), folds.writers.people[members]
        misread = wrong(untuned, strangers)
        for task in waiting:
            others = (names != task.person.name) | (task.kind == "forms")
            rows[task.key] = row = tune(task, tuner, untuned, strangers.at(others), misread[others])
            files.write_text(path, json.dumps(list(rows.values()), indent=1))
            print(f"fold {number}, {task.key}: {len(row['before'])} -> {len(row['after'])} errors", flush=True)
    return [rows[task.key] for task in chosen]


def tune(task: Task, tuner: finetuning.FineTuner, base, strangers: Digits, misread: np.ndarray) -> dict:
    """Fine-tune, and read the person's other digits and those of strangers, of which the base misreads some."""
    is_learnt = real_writers.learnt(task.person, task.size, task.draw)
    started = time.perf_counter()
    tuned = tuner.tune(task.person.digits.at(is_learnt))
    seconds = time.perf_counter() - started
    before, after = (np.flatnonzero(wrong(model, task.person.digits) & ~is_learnt) for model in (base, tuned.model))
    return {
        "key": task.key,
        "kind": task.kind,
        "person": task.person.name,
        "samples": task.size,
        "read": int(np.sum(~is_learnt)),
        "before": before.tolist(),
        "after": after.tolist(),
        "mnist_read": len(strangers),
        "mnist_before": int(misread.sum()),
        "mnist_after": int(wrong(tuned.model, strangers).sum()),
        "share": tuned.share,
        "rounds": tuned.rounds,
        "seconds": round(seconds, 2),
    }


def wrong(model, digits: Digits) -> np.ndarray:
    return finetuning.predictions(model, digits) != digits.labels


def main(options: Options) -> None:
    with files.locked(options.folder, "--folder"):
        measure(options)


def measure(options: Options) -> None:
    from joblib import Parallel, delayed

    folds = real_writers.load_folds(options.writers)
    bases = {number: train_base(number, folds, options) for number in options.folds}
    if options.bases_only:
        return
    if options.processes > 1:
        # The processes would compete for the cores.
        os.environ |= dict.fromkeys(("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"), "1")
    chosen = {number: [task for task in tasks(folds, options) if task.fold == number] for number in options.folds}
    with parallel.backend(options.processes, None):
        jobs = (delayed(tune_fold)(number, mine, folds, options) for number, mine in chosen.items())
        rows = [row for part in Parallel()(jobs) for row in part]
    results = {
        "half": options.half,
        "cores": 1 if options.processes > 1 else os.cpu_count(),
        "recipe": asdict(options.recipe),
        "bases": [{"held_out": card["scores"]["test"], **_training(card)} for card in bases.values()],
        **{kind: real_writers.by_size([row for row in rows if row["kind"] == kind]) for kind in options.people},
    }
    if options.is_benchmark:
        harness.keep("real_writers", results)
    else:
        print(json.dumps(results, indent=2))


def _training(card: dict) -> dict:
    return {"epochs": card["training"]["epochs"], "seconds": card["training"]["seconds"]}


if __name__ == "__main__":
    cli.run(main, Options, __doc__)
