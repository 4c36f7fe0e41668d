"""Train the standard CNN: light augmentation, a warmed-up cosine, averaged weights; the best epoch is kept."""

from dataclasses import dataclass
from typing import Literal

from digits import command

DESCRIPTION = "Standard CNN: four convolutions with ReLU, pooling, dropout; light augmentation"


@dataclass(frozen=True, kw_only=True)
class Options(command.TrainingOptions):
    name: str = "mnist_cnn"
    epochs: int = 30
    batch_size: int = 128
    learning_rate: float = 3e-3
    averaging: float = 0.995
    augmentation: Literal["none", "light", "strong"] = "light"
    calm: float = 0.2
    patience: int = 30


def main(options: Options) -> None:
    command.load_keras()
    from digits import architectures, trainer

    trainer.run(architectures.cnn, schedule, options, DESCRIPTION)


def schedule(options: Options, steps_an_epoch: int):
    """One epoch of warming up from a tenth of the learning rate, then a cosine down to nothing."""
    from keras.optimizers.schedules import CosineDecay

    return CosineDecay(
        options.learning_rate / 10,
        decay_steps=max(1, options.epochs - 1) * steps_an_epoch,
        warmup_target=options.learning_rate,
        warmup_steps=steps_an_epoch,
    )


if __name__ == "__main__":
    command.run(main, Options, __doc__)
