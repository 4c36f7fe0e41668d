"""Train the standard CNN on MNIST: light augmentation, hard-example mining, averaged weights, the best epoch kept."""

from dataclasses import dataclass

from tyro.conf import OmitArgPrefixes

from digits import backend, cli
from digits.training.recipe import FORMER_NAMES, Recipe, Run, without_effect

DESCRIPTION = "Standard CNN: four convolutions, light augmentation, hard-example mining"
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

RUN = Run(name="mnist_cnn")


@dataclass(frozen=True, kw_only=True)
class Options:
    recipe: OmitArgPrefixes[Recipe] = RECIPE
    run: OmitArgPrefixes[Run] = RUN


def main(options: Options) -> None:
    backend.load_keras()
    from digits.training import architectures, pipeline

    pipeline.run(architectures.cnn, options.recipe, options.run, DESCRIPTION)


if __name__ == "__main__":
    cli.run(main, Options, __doc__, FORMER_NAMES, lambda options: without_effect(options.recipe))
