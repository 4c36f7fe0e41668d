"""Train the residual CNN: every family of augmentation, cosine restarts, averaged weights."""

from dataclasses import dataclass
from functools import partial
from typing import Literal

from digits import command

DESCRIPTION = "Residual CNN: every family of augmentation, cosine restarts, averaged weights"


@dataclass(frozen=True, kw_only=True)
class Options(command.TrainingOptions):
    name: str = "mnist_advanced"
    architecture: Literal["residual_cnn", "separable_cnn"] = "residual_cnn"
    """Which network: with plain convolutions or with depthwise-separable ones."""
    pooling: Literal["average", "max", "flatten"] = "average"
    """How the last maps become features: their means, their largest values, or all of them."""
    epochs: int = 40
    batch_size: int = 128
    learning_rate: float = 3e-3
    averaging: float = 0.998
    augmentation: Literal["none", "light", "strong"] = "strong"
    calm: float = 0.15
    patience: int = 40
    cycles: int = 2
    """Cosines that the learning rate goes down by, each twice as long as the one before; 1 is a single one."""


def main(options: Options) -> None:
    command.load_keras()
    from digits import architectures, trainer

    build = partial(architectures.ARCHITECTURES[options.architecture], options.pooling)
    trainer.run(build, schedule, options, DESCRIPTION)


def schedule(options: Options, steps_an_epoch: int):
    """Cosines down to nothing and back up (Loshchilov and Hutter 2017), each twice as long as the one before."""
    from keras.optimizers.schedules import CosineDecayRestarts

    steps = options.epochs * steps_an_epoch
    return CosineDecayRestarts(options.learning_rate, -(-steps // (2**options.cycles - 1)), t_mul=2.0)


if __name__ == "__main__":
    command.run(main, Options, __doc__)
