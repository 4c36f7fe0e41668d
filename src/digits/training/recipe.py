"""What the trainers share of their options; it loads nothing heavy, so that --help comes at once."""

from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Annotated, Literal

import tyro

from digits import files, paths

# Of `digits.augmentation`, which loads NumPy and OpenCV.
Family = Literal[
    "flags",
    "rotation",
    "scale",
    "shear",
    "shift",
    "elastic",
    "stroke",
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


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """What the trainers share; each states its own recipe as defaults.

    Raises:
        ValueError: an option is out of its range.
    """

    name: str
    """Name of the checkpoint."""
    data_dir: Path = paths.DATA
    """Folder with mnist.npz."""
    output_dir: Path = paths.MODELS
    """Folder for the checkpoint, its export and its card."""
    report_dir: Path = paths.REPORTS
    """Folder for the training history, its curves, and what --resume needs."""
    epochs: int
    """Passes over the training digits."""
    batch_size: int = 256
    """Digits a step."""
    hardest: float = 1.0
    """Share of each batch that a step learns from: the digits with the largest loss."""
    learning_rate: float
    """Largest learning rate of the schedule."""
    weight_decay: float = 0.01
    """Decoupled weight decay of AdamW."""
    label_smoothing: float = 0.0
    """Probability taken from the true class and shared by all ten."""
    averaging: float = 0.99
    """Momentum of the moving average of the weights that is evaluated and kept; less in the first steps."""
    augmentation: Literal["none", "light", "strong"]
    """How the digits are changed while training."""
    leave_out: tuple[Family, ...] = ()
    """Families of the augmentation to leave out, to see what each is worth."""
    calm: float = 0.0
    """Share of the epochs, the last ones, in which digits are changed less."""
    patience: int
    """Stop after so many epochs without a lower validation loss."""
    random_seed: int = 0
    """Seed of the weights, the order, the augmentation and the dropout."""
    limit: Annotated[int | None, tyro.conf.arg(metavar="INT")] = None
    """Train on the first so many digits only, for a quick try."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Numbers that layers compute with; auto: bfloat16 where the processor multiplies matrices of them in hardware."""
    score_test: bool = True
    """Score the finished model on the test digits; to choose between recipes, the validation digits will do."""
    resume: bool = False
    """Go on where a killed run with the same options stopped."""

    def __post_init__(self) -> None:
        # Before Keras is loaded, which takes seconds.
        files.check_name(self.name, "a --name")
        if self.epochs < 1 or self.batch_size < 1 or not 0 <= self.averaging < 1:
            raise ValueError(
                "expected --epochs and --batch-size of at least 1 and --averaging from 0 to below 1, "
                f"got {self.epochs}, {self.batch_size} and {self.averaging}"
            )
        if not 0 <= self.calm <= 1 or not 0 < self.hardest <= 1:
            raise ValueError(
                f"expected --calm from 0 to 1 and --hardest above 0 and up to 1, got {self.calm} and {self.hardest}"
            )
        if not (0 < self.learning_rate < inf and 0 <= self.weight_decay < inf and 0 <= self.label_smoothing < 1):
            raise ValueError(
                "expected --learning-rate above 0, --weight-decay of at least 0 and --label-smoothing from 0 "
                f"to below 1, got {self.learning_rate}, {self.weight_decay} and {self.label_smoothing}"
            )
        if self.patience < 1:
            raise ValueError(f"expected --patience of at least 1 epoch, got {self.patience}")
        if self.limit is not None and self.limit < 1:
            raise ValueError(f"expected a --limit of at least 1 digit, got {self.limit}")
