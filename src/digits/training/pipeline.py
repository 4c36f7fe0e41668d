"""A training from the data to the published checkpoint: what every trainer script runs with a recipe of its own."""

from collections.abc import Callable

import keras

from digits import data, files
from digits.checkpoints import publishing
from digits.training import loop, plots, recipe


def run(
    build: Callable[[], keras.Model],
    schedule: Callable[[recipe.TrainingOptions, int], keras.optimizers.schedules.LearningRateSchedule],
    options: recipe.TrainingOptions,
    description: str,
) -> None:
    """Load, split, train, draw the curves, publish and say how it went; `training.fit` says what the arguments are.

    Args:
        description: what the card says of the model, in a line.

    Raises:
        ValueError: another training of that name is running, a folder can't be written to, or the data is wrong.
    """
    run_folder = options.report_dir / options.name
    # The checkpoint's lock, too: a folder in use or without permission is better found before the training than after.
    with files.locked(run_folder, "--name"), files.locked(options.output_dir, "--name", options.name):
        splits = data.load_splits(options.data_dir)
        trained = loop.fit(build, schedule, splits, options)
        plots.write_training_curves(trained.history, run_folder)
        card = publishing.publish(
            trained.model,
            options.name,
            options.output_dir,
            splits,
            options.score_test,
            description=description,
            **loop.facts(trained, options),
        )
    print(publishing.summary(card))
