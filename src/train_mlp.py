"""Train the classroom network on MNIST: two dense hidden layers, a cosine schedule; the best epoch is kept."""

from dataclasses import dataclass
from typing import Literal

from digits import backend, cli
from digits.training import recipe

DESCRIPTION = "Classroom network: two dense hidden layers of 128 and 64 units"


@dataclass(frozen=True, kw_only=True)
class Options(recipe.TrainingOptions):
    name: str = "mnist_mlp"
    epochs: int = 20
    learning_rate: float = 1e-3
    averaging: float = 0
    augmentation: Literal["none", "light", "strong"] = "none"
    patience: int = 10


def main(options: Options) -> None:
    backend.load_keras()
    from digits.training import architectures, pipeline

    pipeline.run(architectures.mlp, schedule, options, DESCRIPTION)


def schedule(options: Options, steps_an_epoch: int):
    """A cosine from the learning rate down to nothing."""
    from keras.optimizers.schedules import CosineDecay

    return CosineDecay(options.learning_rate, options.epochs * steps_an_epoch)


if __name__ == "__main__":
    cli.run(main, Options, __doc__)
