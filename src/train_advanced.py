"""Train the residual CNN on MNIST: strong augmentation, hard-example mining, averaged weights, the best epoch kept."""

from dataclasses import dataclass
from functools import partial
from typing import Literal

from tyro.conf import OmitArgPrefixes

from digits import backend, cli, training
from digits.errors import check_ranges
from digits.training.recipe import FORMER_NAMES, Run, without_effect

DESCRIPTION = "Residual CNN: all augmentation families, hard-example mining, averaged weights"


@dataclass(frozen=True, kw_only=True)
class Recipe(training.Recipe):
    architecture: Literal["residual_cnn", "depthwise_cnn", "separable_cnn"] = "residual_cnn"
    """Network with plain convolutions, with depthwise blocks, or with depthwise-separable convolutions."""
    pooling: Literal["average", "max", "flatten"] = "average"
    """How the last feature maps become features: their means, their maxima, or all values."""
    cycles: int = 1
    """Number of cosine cycles; with more than one the learning rate restarts, and each cycle is twice as long."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_ranges(self, ("cycles", self.cycles >= 1, "at least 1"))


RECIPE = Recipe(
    epochs=72,
    batch_size=512,
    hard_example_fraction=0.25,
    learning_rate=3e-3,
    weight_decay=0.05,
    ema_momentum=0.998,
    augmentation="strong",
    calm_fraction=0.5,
    patience=72,
)

RUN = Run(name="mnist_advanced")


@dataclass(frozen=True, kw_only=True)
class Options:
    recipe: OmitArgPrefixes[Recipe] = RECIPE
    run: OmitArgPrefixes[Run] = RUN


def main(options: Options) -> None:
    backend.load_keras()
    from digits.training import architectures, pipeline

    build = partial(architectures.ARCHITECTURES[options.recipe.architecture], options.recipe.pooling)
    pipeline.run(build, options.recipe, options.run, DESCRIPTION, schedule)


def schedule(recipe: Recipe, steps_per_epoch: int):
    """A cosine with warm-up, or several with restarts."""
    if recipe.cycles == 1:
        return training.warmed_cosine(recipe, steps_per_epoch)
    steps = recipe.epochs * steps_per_epoch
    return training.WarmRestarts(recipe.learning_rate, steps, recipe.cycles, steps_per_epoch)


if __name__ == "__main__":
    cli.run(main, Options, __doc__, FORMER_NAMES, lambda options: without_effect(options.recipe))
