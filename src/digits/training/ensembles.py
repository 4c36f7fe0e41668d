"""An ensemble as one network: the mean of several networks' logits."""

from collections.abc import Sequence

import keras
import numpy as np
from keras import layers

from digits.checkpoints import layer_graph


def averaged(members: Sequence[keras.Model], name: str) -> keras.Model:
    """A network whose logits are the mean of the members', so that its probabilities are their geometric mean.

    The members' last feature maps stand side by side, as channels of one, behind one average pooling and one dense
    layer. So it has a linear head as each member has, and its heat maps show what all of them see.

    Raises:
        ValueError: a member has no last feature map that is averaged, then weighed by a dense layer.
    """
    parts = [layer_graph.dissect(member) for member in members]
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
