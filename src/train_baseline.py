"""Train the classical baselines: logistic regression (on 8×8 digits and on MNIST), a linear SVM and a random forest."""

import time
from contextlib import ExitStack
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Annotated, Literal, get_args

from tyro.conf import arg

from digits import backend, cli, files, paths
from digits.errors import check_ranges, seed_range

Name = Literal["digits_8x8_logistic", "mnist_logistic", "mnist_linear_svm", "mnist_random_forest"]


@dataclass(frozen=True, kw_only=True)
class Options:
    models: tuple[Name, ...] = get_args(Name)
    """Models to train."""
    data_dir: Path = paths.DATA
    """Digits to train, choose and test on: folder with mnist.npz, or your own, as folder of images, CSV, IDX, .npz …"""
    output_dir: Path = paths.MODELS
    """Folder for the checkpoints, their exports and their cards."""
    report_dir: Path = paths.REPORTS
    """Folder for the comparison chart."""
    logistic_8x8_c: float = 0.01
    """Inverse regularisation strength of the logistic regression on 8×8 digits."""
    logistic_c: float = 0.1
    """Inverse regularisation strength of the logistic regression on MNIST."""
    svm_c: float = 0.03
    """Inverse regularisation strength of the SVM."""
    trees: int = 60
    """Number of trees in the forest."""
    leaf_samples: int = 2
    """Minimum number of training digits in a leaf."""
    random_seed: int = 0
    """Seed of the forest, the SVM's solver and the 8×8 split."""
    limit: Annotated[int | None, arg(metavar="INT")] = None
    """Number of training digits, taken from the first, for a quick trial; all by default."""

    def __post_init__(self) -> None:
        strengths = ("logistic_8x8_c", "logistic_c", "svm_c")
        check_ranges(
            self,
            ("models", len(set(self.models)) == len(self.models), "without repetitions"),
            *((name, 0 < getattr(self, name) < inf, "above 0") for name in strengths),
            ("trees", self.trees >= 1, "at least 1"),
            ("leaf_samples", self.leaf_samples >= 1, "at least 1"),
            seed_range(self.random_seed),
        )


OPTIONS_OF = {
    "digits_8x8_logistic": {"logistic_8x8_c", "random_seed"},
    "mnist_logistic": {"logistic_c", "limit"},
    "mnist_linear_svm": {"svm_c", "random_seed", "limit"},
    "mnist_random_forest": {"trees", "leaf_samples", "random_seed", "limit"},
}


def without_effect(options: Options) -> dict[str, set[str]]:
    used = set().union(*(OPTIONS_OF[model] for model in options.models))
    return {f"on {', '.join(options.models)}": set().union(*OPTIONS_OF.values()) - used}


def main(options: Options) -> None:
    from digits import data

    splits = data.load_splits(options.data_dir)
    for line in splits.how_read:
        print(line)
    digits = splits.train.first(options.limit)
    if len(set(digits.labels.tolist())) < 10:
        raise ValueError(f"the first {len(digits)} digits aren't of all ten classes; raise --limit")
    with ExitStack() as locks:
        for name in options.models:
            locks.enter_context(files.locked(options.output_dir, "--output-dir", name))
        train_all(options, splits, digits)


def train_all(options: Options, splits, digits) -> None:
    backend.load_keras()
    from digits.checkpoints import cards, comparison, publishing
    from digits.training import baselines

    seed = options.random_seed
    recipes = {
        "digits_8x8_logistic": (baselines.logistic_8x8, {"c": options.logistic_8x8_c, "seed": seed}),
        "mnist_logistic": (baselines.logistic, {"digits": digits, "c": options.logistic_c}),
        "mnist_linear_svm": (baselines.linear_svm, {"digits": digits, "c": options.svm_c, "seed": seed}),
        "mnist_random_forest": (
            baselines.random_forest,
            {"digits": digits, "trees": options.trees, "leaf_samples": options.leaf_samples, "seed": seed},
        ),
    }
    published = []
    for name in options.models:
        train, arguments = recipes[name]
        print(f"training {name} …", flush=True)
        circumstances, started = cards.circumstances(), time.perf_counter()
        baseline = train(**arguments)
        published.append(
            publishing.publish(
                baseline.model,
                name,
                options.output_dir,
                splits,
                recipe={key: len(value) if value is digits else value for key, value in arguments.items()},
                training={"seconds": round(time.perf_counter() - started, 1)},
                circumstances=circumstances,
                **baseline.facts,
            )
        )
        print(publishing.summary(published[-1]), flush=True)
    print(comparison.comparison_table(published))
    print(comparison.write_comparison(published, options.report_dir))


if __name__ == "__main__":
    cli.run(main, Options, __doc__, without_effect=without_effect)
