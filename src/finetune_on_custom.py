"""Fine-tune a model on your handwriting, keep the result if it gains anything, and report what it costs on MNIST."""

import json
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from digits import backend, cli, files, paths
from digits.errors import check_ranges, printable, seed_range


@dataclass(frozen=True, kw_only=True)
class Options:
    digits_dir: Path = paths.MY_DIGITS
    """Folder with your digits, in subfolders 0 to 9; while it has none, the sample in it is used."""
    base: str = "mnist_advanced"
    """Name in the models folder, or path of a .keras checkpoint."""
    name: str = "mnist_finetuned"
    """Name of the personal model."""
    models_dir: Path = paths.MODELS
    """Folder in which --base is looked up by name."""
    output_dir: Path = paths.MODELS
    """Folder for the personal model, its export and its card."""
    data_dir: Path = paths.DATA
    """Folder that contains mnist.npz."""
    report_dir: Path = paths.REPORTS / "finetuning"
    """Folder for result.json and the pictures of before and after."""
    folds: int = 3
    """Number of folds of the cross-validation that estimates how well your next digits will be recognised."""
    learning_curve: bool = False
    """Also measure the gain from 1, 3, 5, 10 and 20 samples per digit, up to two thirds of yours; takes longer."""
    random_seed: int = 0
    """Seed of the folds, the order and the augmentation."""

    def __post_init__(self) -> None:
        check_ranges(self, ("folds", self.folds >= 2, "at least 2"), seed_range(self.random_seed))


def main(options: Options) -> None:
    files.check_name(options.name, "a --name")
    with files.locked(options.report_dir, "--report-dir"), files.locked(options.output_dir, "--name", options.name):
        finetune(options)


def finetune(options: Options) -> None:
    from digits.checkpoints import recognizer
    from digits.handwriting import dataset

    started = time.perf_counter()
    mine = dataset.load(options.digits_dir)
    base = recognizer.load(options.base, options.models_dir)
    if not base.network:
        raise ValueError(f"{base.name} can't be fine-tuned, only Keras networks can; name another --base")
    if "own_digits" in base.card:
        earlier = base.card["base"]["name"]
        raise ValueError(f"{base.name} is fine-tuned already; start from its base: --base {earlier}")
    if base.path.resolve() == (options.output_dir / f"{options.name}.keras").resolve():
        raise ValueError(f"expected another --name than that of the base, {base.name}, whose files it would replace")
    if options.folds > (fewest := int(mine.counts.min())):
        raise ValueError(f"expected --folds of at most {fewest}, the pictures of the rarest digit, got {options.folds}")
    print(*dataset.describe(mine), sep="\n  ")
    for file, reason in dataset.suspects(mine, base).items():
        print(f"  please look at {printable(file)}: {reason}", flush=True)

    backend.load_keras()
    from tqdm import tqdm

    from digits import data
    from digits.handwriting import finetuning, personal_model, plots

    splits = data.load_splits(options.data_dir)
    if not splits.are_mnist:
        raise ValueError(f"expected MNIST in {options.data_dir}: the digits to fine-tune on are given by --digits-dir")
    recipe = finetuning.Recipe(random_seed=options.random_seed)
    more = len(personal_model.curve_sizes(mine.digits)) if options.learning_curve else 0
    with tqdm(total=(options.folds + 1 + more) * recipe.most_steps, unit="step") as bar:
        tuner = finetuning.FineTuner(base.network, splits, recipe, partial(advance, bar, options.report_dir))

        # One that ended early has skipped steps.
        def done() -> None:
            advance(bar, options.report_dir, -bar.n % recipe.most_steps)

        made = personal_model.make(base, tuner, mine, options.folds, options.name, options.output_dir, done)
        curve = personal_model.learning_curve(tuner, mine.digits, done) if options.learning_curve else []
    print(personal_model.describe(made, mine, options.name))
    before, after = made.assessment.before, made.assessment.after
    print("pictures:", *plots.write_finetuning(mine.digits.labels, before, after, curve, options.report_dir))
    seconds = round(time.perf_counter() - started)
    result = {"base": base.name, "model": options.name if made.card else None, "seconds": seconds}
    files.write_text(options.report_dir / "result.json", json.dumps(result, indent=1))


def advance(bar, folder: Path, steps: int = 1) -> None:
    """Show the progress, also to whoever started this in the background."""
    # In the first step, Keras compiles what the others only run.
    if not bar.n:
        bar.start_t = time.time()
    bar.update(steps)
    left = (time.time() - bar.start_t) / (bar.n - 1) * (bar.total - bar.n) if bar.n > 1 else None
    files.write_text(folder / "progress.json", json.dumps({"share": bar.n / bar.total, "seconds_left": left}))


if __name__ == "__main__":
    cli.run(main, Options, __doc__)
