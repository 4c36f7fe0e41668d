"""Train the depthwise-separable CNN: strong augmentation, warm restarts, label smoothing, averaged weights."""

from dataclasses import dataclass
from typing import Literal

from digits import command

DESCRIPTION = "Depthwise-separable residual CNN: strong augmentation, warm restarts, averaged weights"


@dataclass(frozen=True, kw_only=True)
class Options(command.TrainingOptions):
    name: str = "mnist_advanced"
    epochs: int = 35
    batch_size: int = 128
    learning_rate: float = 3e-3
    label_smoothing: float = 0.02
    averaging: float = 0.998
    augmentation: Literal["none", "light", "strong"] = "strong"
    patience: int = 35
    first_cycle: int = 5
    """Epochs of the first cosine cycle; each of the next is twice as long."""


def main(options: Options) -> None:
    command.load_keras()
    from digits import architectures, trainer

    trainer.run(architectures.separable_cnn, schedule, options, DESCRIPTION)


def schedule(options: Options, steps_an_epoch: int):
    """Cosines down to nothing and back up (Loshchilov and Hutter 2017), each twice as long and 0.8 times as high."""
    from keras.optimizers.schedules import CosineDecayRestarts

    return CosineDecayRestarts(options.learning_rate, options.first_cycle * steps_an_epoch, t_mul=2.0, m_mul=0.8)


if __name__ == "__main__":
    command.run(main, Options, __doc__)
