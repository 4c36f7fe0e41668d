"""An ensemble as one network: the mean of several networks' logits."""

from collections.abc import Sequence

import keras
import numpy as np
from keras import layers

from digits.checkpoints import layer_graph


def averaged(members: Sequence[keras.Model], name: str) -> keras.Model:
    """A network whose logits are the mean of the members', so that its probabilities are their geometric mean.

    The members' last feature maps are concatenated along the channels, followed by one average pooling and one dense
    layer. So its head is linear, as each member's is, and its heat maps show the evidence of all members.

    Raises:
        ValueError: a member's last feature map isn't followed by average pooling and a dense layer.
    """
    parts = [layer_graph.analyse(member) for member in members]
    ink, maps = layers.Input((28, 28, 1), name="ink"), []
    for index, (member, part) in enumerate(zip(members, parts, strict=True), start=1):
        if part.head is None or part.feature_layer is None or part.head.kernel.shape[:2] != (1, 1):
            raise ValueError(f"expected members that average their last feature map, {member.name} doesn't")
        maps.append(keras.Model(part.ink, part.maps[part.feature_layer], name=f"member_{index}")(ink))
    joined = layers.GlobalAveragePooling2D(name="average")(layers.Concatenate(name="feature_maps")(maps))
    head = layers.Dense(10, name="logits")
    model = keras.Model(ink, layers.Softmax(name="probabilities")(head(joined)), name=name)
    kernels, biases = zip(*(member.get_layer("logits").get_weights() for member in members), strict=True)
    head.set_weights([np.concatenate(kernels) / len(members), np.mean(biases, axis=0)])
    return model
