"""An ensemble as one network: the mean of several networks' logits."""

from collections.abc import Sequence
from pathlib import Path

import keras
from keras import layers

from digits import cards, data, publishing
from digits.study import Place
from digits.study_results import Variant


def averaged(members: Sequence[keras.Model], name: str) -> keras.Model:
    """A network whose logits are the mean of the members', so that its probabilities are their geometric mean."""
    ink = layers.Input((28, 28, 1), name="ink")
    each = [
        keras.Model(member.inputs, member.get_layer("logits").output, name=f"member_{place}")(ink)
        for place, member in enumerate(members, start=1)
    ]
    # The identity at first; publishing divides it by the temperature.
    logits = layers.Dense(10, kernel_initializer="identity", name="logits")(layers.Average(name="mean")(each))
    return keras.Model(ink, layers.Softmax(name="probabilities")(logits), name=name)


def publish(name: str, variant: Variant, place: Place, models_dir: Path) -> dict:
    """Save the ensemble of all seeds of a variant, with its twin and a card that lists its members.

    Returns:
        The card.
    """
    folders = [place.of(run.run) for run in variant.runs]
    members = [keras.saving.load_model(folder / f"{variant.name}.keras", compile=False) for folder in folders]
    model = averaged(members, name)
    training = [run.card["training"]["seconds"] for run in variant.runs]
    return publishing.publish(
        model,
        name,
        models_dir,
        data.load_splits(place.data_dir),
        description=f"Ensemble of the {len(members)} seeds of {variant.name}: the mean of their logits",
        architecture="ensemble",
        parameters=model.count_params(),
        recipe=variant.runs[0].card["recipe"] | {"random_seed": [run.run.seed for run in variant.runs]},
        training={"seconds": round(sum(training), 1)},
        circumstances=cards.circumstances(),
        members=[{"seed": run.run.seed, "sha256": run.card["checkpoint"]["sha256"]} for run in variant.runs],
    )
