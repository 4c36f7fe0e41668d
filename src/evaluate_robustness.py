"""Damage real digits in 28 ways at five severities, and see where each model breaks: a report with intervals."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from digits import cli, files, paths


@dataclass(frozen=True, kw_only=True)
class Options:
    models: tuple[str, ...] = ()
    """Names in the models folder, or paths of checkpoints; all in the folder but ensembles if left out."""
    baseline: Annotated[str | None, arg(metavar="NAME")] = None
    """Model to which corruption errors are related; mnist_logistic if it is among the models, else the first."""
    corruptions: tuple[str, ...] = ()
    """Kinds of damage; all if left out."""
    severities: tuple[int, ...] = (1, 2, 3, 4, 5)
    """Severities of each."""
    quick: bool = False
    """A first look: 1,000 images, severities 1, 3 and 5."""
    limit: Annotated[int | None, arg(metavar="INT")] = None
    """Use so many digits only, from all over the set."""
    images: Annotated[Path | None, arg(metavar="PATH")] = None
    """A folder with subfolders 0 to 9, or an .npz with x_test and y_test; MNIST's test digits if left out."""
    image: Annotated[Path | None, arg(metavar="PATH")] = None
    """Instead of the sweep: one picture through all damage, and the least of each kind that flips the answers."""
    mnist_c: Annotated[Path | None, arg(metavar="FOLDER")] = None
    """Evaluate the original MNIST-C too: a folder per corruption with test_images.npy and test_labels.npy."""
    worst_case: bool = True
    """Turn and shift 1,000 digits (100 with --quick) in 775 ways, and damage them by pairs of corruptions."""
    workers: int = 1
    """Local processes."""
    scheduler: Annotated[str | None, arg(metavar="ADDRESS")] = None
    """A dask.distributed scheduler to work on, tcp://HOST:PORT, instead of local processes."""
    restart: bool = False
    """Delete what the output folder holds of an earlier sweep; otherwise a stopped sweep goes on."""
    batch_size: int = 500
    """Images damaged and recognised together; changes no result."""
    random_seed: int = 0
    """Seed of all damage."""
    data_dir: Path = paths.DATA
    """Folder with mnist.npz."""
    models_dir: Path = paths.MODELS
    """Folder in which models are looked up by name."""
    output_dir: Annotated[Path | None, arg(metavar="PATH")] = None
    """Folder for the report; reports/robustness, or reports/robustness-quick, if left out."""


def main(options: Options) -> None:
    from digits.robustness import plan as sweep_plan

    names = options.models or sweep_plan.usual_models(options.models_dir)
    models, problems = sweep_plan.find_models(names, options.models_dir)
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    usual = "robustness-image" if options.image else "robustness-quick" if options.quick else "robustness"
    with files.locked(options.output_dir or paths.REPORTS / usual, "--output-dir") as folder:
        if options.image:
            stress_one_picture(options, models, folder)
        else:
            stress_many_digits(options, models, problems, folder)
    if problems:
        sys.exit(1)


def stress_many_digits(options: Options, models: list, problems: list[str], folder: Path) -> None:
    from tqdm import tqdm

    from digits import data
    from digits.corruptions import CORRUPTIONS, select
    from digits.robustness import analysis, report, sweep, tables, worst_case
    from digits.robustness import plan as sweep_plan

    digits, source = data.load_labelled_or_test(options.images, options.data_dir)
    count = options.limit if options.limit is not None else 1000 if options.quick else len(digits)
    chosen, indices = data.evenly_spaced(digits, count)
    plan = sweep_plan.Plan(
        digits=chosen,
        indices=indices,
        source=source,
        models=tuple(models),
        corruptions=select(options.corruptions or CORRUPTIONS),
        severities=(1, 3, 5) if options.quick else options.severities,
        seed=options.random_seed,
    )
    baseline = analysis.choose_baseline(plan, options.baseline)
    damaged_elsewhere = data.load_mnist_c(options.mnist_c) if options.mnist_c else {}
    if options.restart:
        sweep.clear(folder)

    results = sweep.run(plan, folder, options.batch_size, options.workers, options.scheduler).best_first()
    recognisers = [sweep_plan.open_model(model) for model in models]
    worst = worst_case.measure(recognisers, plan, 100 if options.quick else 1000, tqdm) if options.worst_case else {}
    external = {name: analysis.score_all(recognisers, digits) for name, digits in damaged_elsewhere.items()}
    found = analysis.Robustness(results, {each.name: each.card for each in recognisers}, baseline)
    # The report needs none of them.
    del recognisers
    sweep_plan.open_model.cache_clear()

    summary = report.summarise(found, worst, external)
    page = report.write(found, summary, worst, problems, folder)
    print(tables.summary_text(summary))
    print(f"report: {page}")


def stress_one_picture(options: Options, models: list, folder: Path) -> None:
    from digits import preprocess
    from digits.robustness import plan as sweep_plan
    from digits.robustness import report, worst_case

    damaged = worst_case.every_damage(preprocess.prepare_file(options.image).image, options.random_seed)
    for recogniser in map(sweep_plan.open_model, models):
        print(report.write_one_picture(recogniser, damaged, options.image.name, folder))


if __name__ == "__main__":
    cli.run(main, Options, __doc__)
