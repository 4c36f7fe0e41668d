"""Train the classroom network on MNIST: two dense hidden layers, cosine decay, the best epoch kept."""

from dataclasses import dataclass

from tyro.conf import OmitArgPrefixes

from digits import backend, cli
from digits.training.recipe import FORMER_NAMES, Recipe, Run, without_effect

DESCRIPTION = "Classroom network: two dense hidden layers of 128 and 64 units"
RECIPE = Recipe(epochs=20, learning_rate=1e-3, patience=10)

RUN = Run(name="mnist_mlp")


@dataclass(frozen=True, kw_only=True)
class Options:
    recipe: OmitArgPrefixes[Recipe] = RECIPE
    run: OmitArgPrefixes[Run] = RUN


def main(options: Options) -> None:
    backend.load_keras()
    from digits.training import architectures, pipeline

    pipeline.run(architectures.mlp, options.recipe, options.run, DESCRIPTION, schedule)


def schedule(recipe: Recipe, steps_per_epoch: int):
    """Cosine decay from the learning rate to 0."""
    from keras.optimizers.schedules import CosineDecay

    return CosineDecay(recipe.learning_rate, recipe.epochs * steps_per_epoch)


if __name__ == "__main__":
    cli.run(main, Options, __doc__, FORMER_NAMES, lambda options: without_effect(options.recipe))
