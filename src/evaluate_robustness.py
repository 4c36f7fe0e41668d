"""Evaluate how robust models are to 28 corruptions at five severities, and write a report with intervals."""

import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from digits import cli, files, paths
from digits.errors import check_ranges, seed_range


@dataclass(frozen=True, kw_only=True)
class Options:
    models: tuple[str, ...] = ()
    """Names in the models folder, or paths of checkpoints; by default all models in the folder except ensembles."""
    baseline: Annotated[str | None, arg(metavar="NAME")] = None
    """Model that corruption errors are relative to; by default mnist_logistic if it is evaluated, else the first."""
    corruptions: tuple[str, ...] = ()
    """Names of corruptions; all by default."""
    severities: tuple[int, ...] = ()
    """Severities, 1 to 5; all by default."""
    quick: bool = False
    """Use 1,000 digits and severities 1, 3 and 5 by default."""
    limit: Annotated[int | None, arg(metavar="INT")] = None
    """Number of digits to use, evenly spaced; all by default."""
    images: Annotated[Path | None, arg(metavar="PATH")] = None
    """Labelled digits: folder of images, or CSV, IDX, .npz or HDF5 file; MNIST's test digits by default."""
    image: Annotated[Path | None, arg(metavar="PATH")] = None
    """Corrupt a single picture instead, and show which corruptions change the models' answers."""
    mnist_c: Annotated[Path | None, arg(metavar="FOLDER")] = None
    """Also evaluate the original MNIST-C: a folder per corruption with test_images.npy and test_labels.npy."""
    worst_case: bool = True
    """Also evaluate 1,000 digits (100 with --quick) at 775 rotations and shifts, and under pairs of corruptions."""
    workers: int = 1
    """Number of local processes."""
    scheduler: Annotated[str | None, arg(metavar="ADDRESS")] = None
    """Address of a dask.distributed scheduler, tcp://HOST:PORT, to use instead of local processes."""
    restart: bool = False
    """Delete an earlier sweep in the output folder instead of resuming it."""
    batch_size: int = 500
    """Batch size; doesn't affect the results."""
    random_seed: int = 0
    """Seed of the corruptions."""
    data_dir: Path = paths.DATA
    """Folder with mnist.npz."""
    models_dir: Path = paths.MODELS
    """Folder with the models."""
    output_dir: Annotated[Path | None, arg(metavar="PATH")] = None
    """Folder for the report; by default reports/robustness, -quick or -image."""

    def __post_init__(self) -> None:
        check_ranges(
            self,
            ("limit", self.limit is None or self.limit >= 1, "at least 1"),
            ("workers", self.workers >= 1, "at least 1"),
            ("batch_size", self.batch_size >= 1, "at least 1"),
            seed_range(self.random_seed),
        )


def without_effect(options: Options) -> dict[str, Collection[str]]:
    used_with_image = {"image", "models", "models_dir", "random_seed", "output_dir"}
    return {
        "with --image": set(vars(options)) - used_with_image if options.image else (),
        "with --scheduler": ["workers"] if options.scheduler else (),
        "with --images": ["data_dir"] if options.images else (),
    }


def main(options: Options) -> None:
    from digits.robustness import plan as sweep_plan
    from digits.robustness import report

    names = options.models or sweep_plan.default_models(options.models_dir)
    models, problems = sweep_plan.find_models(names, options.models_dir)
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    default = "robustness-image" if options.image else "robustness-quick" if options.quick else "robustness"
    with files.locked(options.output_dir or paths.REPORTS / default, "--output-dir") as folder:
        if options.image:
            print(report.write_one_picture(options.image, options.random_seed, models, folder))
        else:
            evaluate_digits(options, models, problems, folder)
    if problems:
        sys.exit(1)


def evaluate_digits(options: Options, models: list, problems: list[str], folder: Path) -> None:
    from digits import data
    from digits.corruptions import CORRUPTIONS, SEVERITIES, select
    from digits.robustness import analysis, report, sweep, tables
    from digits.robustness import plan as sweep_plan

    digits, source, how_read = data.load_labelled_or_test(options.images, options.data_dir)
    for line in how_read:
        print(line)
    chosen, indices = data.evenly_spaced(digits, options.limit or (1000 if options.quick else len(digits)))
    plan = sweep_plan.Plan(
        digits=chosen,
        indices=indices,
        source=source,
        models=tuple(models),
        corruptions=select(options.corruptions or CORRUPTIONS),
        severities=options.severities or ((1, 3, 5) if options.quick else SEVERITIES),
        seed=options.random_seed,
    )
    baseline = analysis.choose_baseline(plan, options.baseline)
    original = data.load_mnist_c(options.mnist_c) if options.mnist_c else {}
    if options.restart:
        sweep.clear(folder)

    results = sweep.run(plan, folder, options.batch_size, options.workers, options.scheduler)
    worst_case_digits = (100 if options.quick else 1000) if options.worst_case else 0
    summary, page = report.evaluate(results, baseline, original, worst_case_digits, problems, folder)
    print(tables.summary_text(summary))
    print(f"report: {page}")


if __name__ == "__main__":
    cli.run(main, Options, __doc__, without_effect=without_effect)
