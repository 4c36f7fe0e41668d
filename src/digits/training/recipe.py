"""A recipe decides what a training makes; a run says where that goes. It loads nothing heavy, so --help is instant."""

from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Annotated, Literal

import tyro

from digits import files, paths
from digits.errors import check_ranges, seed_range

# Of `digits.augmentation`, which loads NumPy and OpenCV.
Family = Literal[
    "flags",
    "rotation",
    "scale",
    "shear",
    "shift",
    "elastic",
    "stroke",
    "ripple",
    "hollow",
    "lines",
    "erasing",
    "blur",
    "filters",
    "contrast",
    "background",
    "noise",
    "polarity",
]
# Former names of options, which a user's scripts and studies may still use.
FORMER_NAMES = {"hardest": "hard_example_fraction", "averaging": "ema_momentum", "calm": "calm_fraction"}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What decides the result of a training.

    Raises:
        ValueError: a value is out of range.
    """

    epochs: int = 20
    """Number of passes over the training digits."""
    batch_size: int = 256
    """Batch size."""
    hard_example_fraction: float = 1.0
    """Fraction of each batch that a step learns from: the digits with the largest loss."""
    learning_rate: float = 1e-3
    """Peak learning rate of the schedule."""
    schedule: Literal["cosine", "plateau"] = "cosine"
    """Cosine decay, or half the learning rate whenever 3 epochs haven't lowered the validation loss."""
    weight_decay: float = 0.01
    """Decoupled weight decay of AdamW."""
    label_smoothing: float = 0.0
    """Probability moved from the true class and shared equally by all ten."""
    ema_momentum: float = 0.0
    """Momentum of the moving average of the weights (EMA) that is evaluated and kept; 0 turns it off."""
    augmentation: Literal["none", "light", "strong"] = "none"
    """Augmentation of the training digits."""
    leave_out: tuple[Family, ...] = ()
    """Augmentation families to leave out."""
    calm_fraction: float = 0.0
    """Fraction of the epochs, at the end, that use weaker augmentation."""
    style_fraction: float = 0.0
    """Fraction of each batch that is drawn from digits in other styles than MNIST's, data/styles.npz."""
    patience: int = 10
    """Stop after this many epochs without a lower validation loss."""
    random_seed: int = 0
    """Seed of the initial weights, the batch order, the augmentation and dropout."""
    limit: Annotated[int | None, tyro.conf.arg(metavar="INT")] = None
    """Number of training digits, taken from the first, for a quick trial; all by default."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Precision that layers compute in; auto uses bfloat16 if the processor multiplies such matrices in hardware."""

    def __post_init__(self) -> None:
        # Here, because loading Keras takes seconds.
        check_ranges(
            self,
            ("epochs", self.epochs >= 1, "at least 1"),
            ("batch_size", self.batch_size >= 1, "at least 1"),
            ("hard_example_fraction", 0 < self.hard_example_fraction <= 1, "above 0 and up to 1"),
            ("learning_rate", 0 < self.learning_rate < inf, "above 0"),
            ("weight_decay", 0 <= self.weight_decay < inf, "at least 0"),
            ("label_smoothing", 0 <= self.label_smoothing < 1, "from 0 to below 1"),
            ("ema_momentum", 0 <= self.ema_momentum < 1, "from 0 to below 1"),
            ("calm_fraction", 0 <= self.calm_fraction <= 1, "from 0 to 1"),
            ("leave_out", not self.leave_out or self.augmentation != "none", "only with --augmentation"),
            ("style_fraction", 0 <= self.style_fraction < 1, "from 0 to below 1"),
            ("patience", self.patience >= 1, "at least 1"),
            seed_range(self.random_seed),
            ("limit", self.limit is None or self.limit >= 1, "at least 1"),
        )


@dataclass(frozen=True, kw_only=True)
class Run:
    """Where a training reads and writes, under which name; nothing here changes the trained weights.

    Raises:
        ValueError: a checkpoint can't have that name.
    """

    name: str
    """Name of the checkpoint."""
    data_dir: Path = paths.DATA
    """Digits to train, choose and test on: folder with mnist.npz, or your own, as folder of images, CSV, IDX, .npz …"""
    output_dir: Path = paths.MODELS
    """Folder for the checkpoint, its ONNX export and its card."""
    report_dir: Path = paths.REPORTS
    """Folder for the training history, its curves, and the state that --resume needs."""
    score_test: bool = True
    """Score the finished model on the test digits; choose between recipes by the validation digits alone."""
    resume: bool = False
    """Resume an interrupted run with the same options."""

    def __post_init__(self) -> None:
        files.check_name(self.name, "a --name")


def without_effect(recipe: Recipe) -> dict[str, list[str]]:
    """The options that a recipe leaves without effect, by the reason."""
    return {
        "without --augmentation": ["calm_fraction"] if recipe.augmentation == "none" else [],
        "with --schedule plateau": ["cycles"] if recipe.schedule == "plateau" else [],
    }
