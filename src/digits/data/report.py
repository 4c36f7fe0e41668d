"""Pictures of a data set: samples, the class distribution, and augmented digits."""

from pathlib import Path

import numpy as np

from digits import data, files
from digits.augmentation import by_name
from digits.data import Splits, plots
from digits.reporting import figures
from digits.reporting.figures import save_figure

SAMPLES_PER_CLASS = 10


def write_data_pictures(splits: Splits, augmentation: str, seed: int, folder: Path) -> list[Path]:
    """Write `samples.png` (and each sample by itself in `samples/`), `classes.png` and `augmented.png`.

    Args:
        augmentation: "light" or "strong".
        seed: of the augmentation.

    Returns:
        The paths of the three figures.
    """
    digits, augment = splits.train, by_name(augmentation)
    assert augment, "there is nothing to show of no augmentation"
    samples = np.concatenate([data.representative(digits, digit, SAMPLES_PER_CLASS) for digit in range(10)])
    single = files.output_folder(folder / "samples")
    for position, index in enumerate(samples):
        path = single / f"{digits.labels[index]}_{position % SAMPLES_PER_CLASS}.png"
        files.write_png(path, digits.images[index])
    parts = {part: getattr(splits, part).labels for part in ("train", "validation", "test")}
    # One digit of each class, unchanged in the first row and randomly changed in the others.
    originals = digits.images[samples[::SAMPLES_PER_CLASS]]
    rng = np.random.default_rng(seed)
    changed = [augment(originals, rng, np.arange(10)) for _ in range(9)]
    return [
        save_figure(
            figures.digit_grid(digits.images[samples], title="Ten training digits per class, typical to unusual"),
            folder / "samples.png",
        ),
        save_figure(plots.class_distribution(parts), folder / "classes.png"),
        save_figure(
            figures.digit_grid(
                np.concatenate([originals, *changed]), title=f"Training digits with {augmentation} augmentation"
            ),
            folder / "augmented.png",
        ),
    ]
