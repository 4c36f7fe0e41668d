"""Train the standard CNN on the hardest of lightly changed digits: averaged weights; the best epoch is kept."""

from dataclasses import dataclass
from typing import Literal

from digits import backend, cli
from digits.training import recipe

DESCRIPTION = "Standard CNN: four convolutions, light augmentation, learning from the hardest digits"


@dataclass(frozen=True, kw_only=True)
class Options(recipe.TrainingOptions):
    name: str = "mnist_cnn"
    epochs: int = 50
    batch_size: int = 512
    hardest: float = 0.25
    learning_rate: float = 3e-3
    weight_decay: float = 0.05
    averaging: float = 0.995
    augmentation: Literal["none", "light", "strong"] = "light"
    calm: float = 0.3
    patience: int = 50


def main(options: Options) -> None:
    backend.load_keras()
    from digits.training import architectures, loop, pipeline

    pipeline.run(architectures.cnn, loop.warmed_cosine, options, DESCRIPTION)


if __name__ == "__main__":
    cli.run(main, Options, __doc__)
