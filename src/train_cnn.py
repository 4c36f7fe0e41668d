"""Train the standard CNN, or the classic CNN of most courses, on MNIST; the best epoch is kept."""

from dataclasses import dataclass
from typing import Literal

from tyro.conf import OmitArgPrefixes

from digits import backend, cli, training
from digits.training.recipe import FORMER_NAMES, Run, without_effect

DESCRIPTIONS = {
    "cnn": "Standard CNN: four convolutions, light augmentation, hard-example mining",
    "classic": "Classic CNN: BatchNorm, max pooling and dropout, trained with Adam, no augmentation",
}


@dataclass(frozen=True, kw_only=True)
class Recipe(training.Recipe):
    architecture: Literal["cnn", "classic"] = "cnn"
    """The standard CNN, or the classic one of most courses, which has other defaults for some options."""


RECIPE = Recipe(
    epochs=50,
    batch_size=512,
    hard_example_fraction=0.25,
    learning_rate=3e-3,
    weight_decay=0.05,
    ema_momentum=0.995,
    augmentation="light",
    calm_fraction=0.3,
    patience=50,
)

# AdamW without weight decay is Adam.
CLASSIC = Recipe(
    architecture="classic",
    epochs=30,
    batch_size=128,
    learning_rate=1e-3,
    schedule="plateau",
    weight_decay=0.0,
    patience=8,
)
RECIPES = {"cnn": RECIPE, "classic": CLASSIC}

RUN = Run(name="mnist_cnn")


@dataclass(frozen=True, kw_only=True)
class Options:
    recipe: OmitArgPrefixes[Recipe] = RECIPE
    run: OmitArgPrefixes[Run] = RUN


def main(options: Options) -> None:
    backend.load_keras()
    from digits.training import architectures, pipeline

    chosen = options.recipe.architecture
    pipeline.run(architectures.ARCHITECTURES[chosen], options.recipe, options.run, DESCRIPTIONS[chosen])


if __name__ == "__main__":
    cli.run(
        main,
        Options,
        __doc__,
        FORMER_NAMES,
        lambda options: without_effect(options.recipe),
        by_architecture={"classic": Options(recipe=CLASSIC, run=Run(name="mnist_classic"))},
    )
