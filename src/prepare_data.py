"""Verify or download MNIST, split it, cache the splits, and show what the digits look like."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from digits import backend, cli, files, paths
from digits.errors import check_ranges, seed_range


@dataclass(frozen=True, kw_only=True)
class Options:
    source: Literal["embedded", "keras"] = "embedded"
    """Use the file in the data folder, or download MNIST through keras.datasets to the output folder."""
    data_dir: Path = paths.DATA
    """Folder with mnist.npz."""
    output_dir: Path = paths.REPORTS / "data"
    """Folder for the pictures, and for the download."""
    augmentation: Literal["light", "strong"] = "strong"
    """Augmentation to show samples of."""
    random_seed: int = 0
    """Seed of the augmented samples."""

    def __post_init__(self) -> None:
        check_ranges(self, seed_range(self.random_seed))


def without_effect(options: Options) -> dict[str, list[str]]:
    return {"with --source keras": ["data_dir"] if options.source == "keras" else []}


def main(options: Options) -> None:
    from digits import data
    from digits.data import report

    folder = files.output_folder(options.output_dir)
    data_dir = options.data_dir
    if options.source == "keras":
        backend.load_keras()
        data_dir = data.download_mnist(folder).parent
        print(f"downloaded and verified {data_dir / 'mnist.npz'}")
    started = time.perf_counter()
    splits, cache, from_cache = data.cached_splits(data_dir)
    done = "loaded from the cache" if from_cache else "verified, split and cached"
    print(f"{done} in {time.perf_counter() - started:.2f} s: {cache}")
    for part, digits in (("train", splits.train), ("validation", splits.validation), ("test", splits.test)):
        print(f"  {part:<10} {len(digits):>6,} digits")
    for path in report.write_data_pictures(splits, options.augmentation, options.random_seed, folder):
        print(f"wrote {path}")


if __name__ == "__main__":
    cli.run(main, Options, __doc__, without_effect=without_effect)
