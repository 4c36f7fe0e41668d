"""Train the residual CNN on the hardest of widely changed digits: averaged weights; the best epoch is kept."""

from dataclasses import dataclass
from functools import partial
from typing import Literal

from digits import backend, cli
from digits.training import recipe

DESCRIPTION = "Residual CNN: all families of augmentation, learning from the hardest digits, averaged weights"


@dataclass(frozen=True, kw_only=True)
class Options(recipe.TrainingOptions):
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
    backend.load_keras()
    from digits.training import architectures, pipeline

    build = partial(architectures.ARCHITECTURES[options.architecture], options.pooling)
    pipeline.run(build, schedule, options, DESCRIPTION)


def schedule(options: Options, steps_an_epoch: int):
    """A warmed cosine, or several with restarts."""
    from digits.training import loop

    if options.cycles == 1:
        return loop.warmed_cosine(options, steps_an_epoch)
    steps = options.epochs * steps_an_epoch
    return loop.WarmRestarts(options.learning_rate, steps, options.cycles, steps_an_epoch)


if __name__ == "__main__":
    cli.run(main, Options, __doc__)
