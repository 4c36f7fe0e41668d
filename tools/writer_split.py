"""Split MNIST's 60,000 training digits by their writers: `python -m tools.writer_split --writers FOLDER`.

It writes `data/split_writers.npy`, in the format of `data/split.npy`: no writer is in both parts. FOLDER has the
labels of QMNIST's training digits, which name their writers (Yadav and Bottou 2019).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from digits import cli, data, files, paths
from digits.data.mnist import SPLIT_SEED, VALIDATION_SIZE

PATH = paths.DATA / "split_writers.npy"


@dataclass(frozen=True, kw_only=True)
class Options:
    """Where the writers are named."""

    writers: Path
    """Folder with QMNIST's labels of the training digits, qmnist-train-labels-idx2-int or .tsv, perhaps with .gz."""


def main(options: Options) -> None:
    """Read the writers, split and save."""
    writers = data.load_writers(options.writers, "train")
    indices = split(writers.series, writers.people)
    with files.replacing(PATH) as temporary:
        np.save(temporary, indices)
    validation = indices[-VALIDATION_SIZE:]
    people = [len(np.unique(writers.people[part])) for part in (indices[:-VALIDATION_SIZE], validation)]
    counts = " ".join(map(str, np.bincount(data.load_mnist(names=["y_train"])["y_train"][validation])))
    print(f"{PATH}: {people[0]} writers to train on, {people[1]} for validation; validation digits by class: {counts}")


def split(series: np.ndarray, writers: np.ndarray, size: int = VALIDATION_SIZE, seed: int = SPLIT_SEED) -> np.ndarray:
    """Indices, uint16 (N,), of the training digits, then of `size` validation digits, by other writers.

    Each series has its share of the validation digits. Its writers are put in random order, again and again until the
    first of them have written exactly that many digits. Both parts are in random order, too.
    """
    rng = np.random.default_rng(seed)
    is_validation = np.zeros(len(writers), bool)
    left = size
    kinds, counts = np.unique(series, return_counts=True)
    for kind, count in zip(kinds, counts, strict=True):
        wanted = left if kind == kinds[-1] else round(size * count / len(series))
        left -= wanted
        of_series, written = np.unique(writers[series == kind], return_counts=True)
        while wanted not in (totals := np.cumsum(written[order := rng.permutation(len(of_series))])):
            pass
        chosen = of_series[order[: np.searchsorted(totals, wanted) + 1]]
        is_validation |= np.isin(writers, chosen)
    indices = rng.permutation(len(writers))
    return np.concatenate([indices[~is_validation[indices]], indices[is_validation[indices]]]).astype(np.uint16)


if __name__ == "__main__":
    cli.run(main, Options, __doc__)
