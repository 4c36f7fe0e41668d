"""Train the residual CNN on the hardest of widely changed digits: averaged weights; the best epoch is kept."""

from dataclasses import dataclass
from functools import partial
from typing import Literal

from digits import command

DESCRIPTION = "Residual CNN: all families of augmentation, learning from the hardest digits, averaged weights"


@dataclass(frozen=True, kw_only=True)
class Options(command.TrainingOptions):
    name: str = "mnist_advanced"
    architecture: Literal["residual_cnn", "separable_cnn"] = "residual_cnn"
    """Which network: with plain convolutions or with depthwise-separable ones."""
    pooling: Literal["average", "max", "flatten"] = "average"
    """How the last maps become features: their means, their largest values, or all of them."""
    epochs: int = 72
    batch_size: int = 512
    hardest: float = 0.25
    learning_rate: float = 3e-3
    weight_decay: float = 0.05
    averaging: float = 0.998
    augmentation: Literal["none", "light", "strong"] = "strong"
    calm: float = 0.5
    patience: int = 72
    cycles: int = 1
    """Cosines that the learning rate goes down by; with more than one it restarts, each twice as long as the last."""


def main(options: Options) -> None:
    command.load_keras()
    from digits import architectures, trainer

    build = partial(architectures.ARCHITECTURES[options.architecture], options.pooling)
    trainer.run(build, schedule, options, DESCRIPTION)


def schedule(options: Options, steps_an_epoch: int):
    """A warmed cosine, or several with restarts."""
    from digits import training

    if options.cycles == 1:
        return training.warmed_cosine(options, steps_an_epoch)
    steps = options.epochs * steps_an_epoch
    return training.WarmRestarts(options.learning_rate, steps, options.cycles, steps_an_epoch)


if __name__ == "__main__":
    command.run(main, Options, __doc__)
