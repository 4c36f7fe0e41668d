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


# The parameters of each model's training, and the options that give them.
OPTIONS_OF = {
    "digits_8x8_logistic": {"c": "logistic_8x8_c", "seed": "random_seed"},
    "mnist_logistic": {"digits": "limit", "c": "logistic_c"},
    "mnist_linear_svm": {"digits": "limit", "c": "svm_c", "seed": "random_seed"},
    "mnist_random_forest": {"digits": "limit", "trees": "trees", "leaf_samples": "leaf_samples", "seed": "random_seed"},
}


def without_effect(options: Options) -> dict[str, set[str]]:
    used = {option for model in options.models for option in OPTIONS_OF[model].values()}
    every = {option for of_model in OPTIONS_OF.values() for option in of_model.values()}
    return {f"on {', '.join(options.models)}": every - used}


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

    trainers = {
        "digits_8x8_logistic": baselines.logistic_8x8,
        "mnist_logistic": baselines.logistic,
        "mnist_linear_svm": baselines.linear_svm,
        "mnist_random_forest": baselines.random_forest,
    }
    published = []
    for name in options.models:
        print(f"training {name} …", flush=True)
        circumstances, started = cards.circumstances(), time.perf_counter()
        given = {parameter: getattr(options, option) for parameter, option in OPTIONS_OF[name].items()}
        baseline = trainers[name](**given | ({"digits": digits} if "digits" in given else {}))
        card = publishing.publish(
            baseline.model,
            name,
            options.output_dir,
            splits,
            recipe=given | ({"digits": len(digits)} if "digits" in given else {}),
            training={"seconds": round(time.perf_counter() - started, 1)},
            circumstances=circumstances,
            **baseline.facts,
        )
        published.append(card)
        print(publishing.summary(card), flush=True)
    print(comparison.comparison_table(published))
    print(comparison.write_comparison(published, options.report_dir))


if __name__ == "__main__":
    cli.run(main, Options, __doc__, without_effect=without_effect)
