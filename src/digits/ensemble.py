"""An ensemble as one network: the mean of several networks' logits."""

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from keras import layers

from digits import anatomy, cards, data, publishing
from digits.study import Place
from digits.study_results import Variant


def averaged(members: Sequence[keras.Model], name: str) -> keras.Model:
    """A network whose logits are the mean of the members', so that its probabilities are their geometric mean.

    The members' last feature maps stand side by side, as channels of one, behind one average pooling and one dense
    layer. So it has a linear head as each member has, and its heat maps show what all of them see.

    Raises:
        ValueError: a member has no last feature map that is averaged, then weighed by a dense layer.
    """
    parts = [anatomy.dissect(member) for member in members]
    for member, part in zip(members, parts, strict=True):
        if part.head is None or part.head.kernel.shape[:2] != (1, 1):
            raise ValueError(f"expected members that average their last feature map, {member.name} doesn't")
    ink = layers.Input((28, 28, 1), name="ink")
    maps = [
        keras.Model(part.ink, part.maps[part.feature_layer], name=f"member_{place}")(ink)
        for place, part in enumerate(parts, start=1)
    ]
    joined = layers.GlobalAveragePooling2D(name="average")(layers.Concatenate(name="feature_maps")(maps))
    head = layers.Dense(10, name="logits")
    model = keras.Model(ink, layers.Softmax(name="probabilities")(head(joined)), name=name)
    kernels, biases = zip(*(member.get_layer("logits").get_weights() for member in members), strict=True)
    head.set_weights([np.concatenate(kernels) / len(members), np.mean(biases, axis=0)])
    return model


def publish(name: str, variant: Variant, place: Place, models_dir: Path) -> dict:
    """Save the ensemble of all seeds of a variant, with its twin and a card that lists its members.

    Returns:
        The card.
    """
    members = [
        keras.saving.load_model(place.of(run.run) / f"{variant.name}.keras", compile=False) for run in variant.runs
    ]
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
