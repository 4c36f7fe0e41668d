"""A training from the data to the published checkpoint: what every trainer script runs with its own recipe."""

from collections.abc import Callable
from typing import Any

import keras

from digits import data, files
from digits.checkpoints import publishing
from digits.reporting.figures import save_figure
from digits.training import loop, plots
from digits.training.recipe import Recipe, Run
from digits.training.schedules import Schedule, warmed_cosine


def run(
    build: Callable[[], keras.Model],
    recipe: Recipe,
    run: Run,
    description: str,
    schedule: Callable[[Any, int], Schedule] = warmed_cosine,
) -> None:
    """Load the digits, train, draw the curves, publish the checkpoint and print its scores.

    Args:
        build: returns the untrained network.
        description: of the model, a line for its card.
        schedule: takes the recipe and the number of steps per epoch and returns the learning rate.

    Raises:
        FileNotFoundError: there are no digits, or nothing to resume.
        ValueError: another training of that name is running, a folder can't be written to, or the data is wrong.
    """
    folder = run.report_dir / run.name
    # The checkpoint is locked, too: a folder in use or without permission is better noticed before the training.
    with files.locked(folder, "--name"), files.locked(run.output_dir, "--name", run.name):
        splits = data.load_splits(run.data_dir)
        for line in splits.how_read:
            print(line)
        trained = loop.fit(build, splits, recipe, schedule, folder, run.resume)
        save_figure(plots.training_curves(trained.history), folder / "curves.png")
        card = publishing.publish(
            trained.model,
            run.name,
            run.output_dir,
            splits,
            run.score_test,
            description=description,
            **loop.facts(trained, recipe),
        )
    print(publishing.summary(card))
