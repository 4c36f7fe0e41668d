"""The files of a data set: samples, class distribution and augmented digits as pictures."""

from pathlib import Path

import numpy as np

from digits import data, files
from digits.augmentation import BY_NAME
from digits.data import Splits, plots
from digits.reporting import figures
from digits.reporting.figures import save_figure

SAMPLES_A_CLASS = 10


def write_data_pictures(splits: Splits, augmentation: str, seed: int, folder: Path) -> list[Path]:
    """Write `samples.png` (and each sample alone in `samples/`), `classes.png` and `augmented.png`."""
    digits = splits.train
    samples = np.concatenate([data.representative(digits, digit, SAMPLES_A_CLASS) for digit in range(10)])
    alone = files.output_folder(folder / "samples")
    for position, index in enumerate(samples):
        path = alone / f"{digits.labels[index]}_{position % SAMPLES_A_CLASS}.png"
        files.write_png(path, digits.images[index])
    parts = {part: getattr(splits, part).labels for part in ("train", "validation", "test")}
    # One digit of each class, as it is in the first row and changed at random in the others.
    originals = digits.images[samples[::SAMPLES_A_CLASS]]
    rng = np.random.default_rng(seed)
    changed = [BY_NAME[augmentation](originals, rng, np.arange(10)) for _ in range(9)]
    return [
        save_figure(
            figures.digit_grid(digits.images[samples], title="Ten training digits of each class, typical to unusual"),
            folder / "samples.png",
        ),
        save_figure(plots.class_distribution(parts), folder / "classes.png"),
        save_figure(
            figures.digit_grid(
                np.concatenate([originals, *changed]), title=f"Digits under {augmentation} augmentation"
            ),
            folder / "augmented.png",
        ),
    ]
