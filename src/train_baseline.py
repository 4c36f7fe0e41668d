"""Train the classical baselines: logistic regression (on 8×8 digits and on MNIST), a linear SVM and a random forest."""

import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, get_args

from tyro.conf import arg

from digits import backend, cli, files, paths

Name = Literal["digits_8x8_logistic", "mnist_logistic", "mnist_linear_svm", "mnist_random_forest"]


@dataclass(frozen=True, kw_only=True)
class Options:
    models: tuple[Name, ...] = get_args(Name)
    """Which to train."""
    data_dir: Path = paths.DATA
    """Folder with mnist.npz."""
    output_dir: Path = paths.MODELS
    """Folder for the checkpoints, their exports and their cards."""
    report_dir: Path = paths.REPORTS
    """Folder for the comparison chart."""
    logistic_8x8_c: float = 0.01
    """Inverse strength of the penalty on the 8×8 digits."""
    logistic_c: float = 0.1
    """Inverse strength of the logistic regression's penalty."""
    svm_c: float = 0.03
    """Inverse strength of the SVM's penalty."""
    trees: int = 60
    """Trees of the forest."""
    leaf_samples: int = 2
    """Fewest training digits in a leaf of the forest."""
    random_seed: int = 0
    """Seed of the forest, the SVM's solver and the 8×8 split."""
    limit: Annotated[int | None, arg(metavar="INT")] = None
    """Train on the first so many digits only, for a quick try."""


def main(options: Options) -> None:
    from digits import data

    splits = data.load_splits(options.data_dir)
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
    cli.run(main, Options, __doc__)
