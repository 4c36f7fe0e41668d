"""The networks, each a pure function that fits on a screen.

All take ink from 0 to 1, float32 (N, 28, 28, 1), and end in a layer `logits` (10, linear) and a layer `probabilities`
(softmax). They use plain Keras layers only, so that `keras.saving.load_model` opens a checkpoint with none of our code.
"""

from keras import KerasTensor, Model, layers


def mlp() -> Model:
    """The classroom network: two hidden layers of 128 and 64 units."""
    ink = _ink()
    hidden = layers.Flatten()(ink)
    for units in (128, 64):
        hidden = layers.Dense(units, activation="relu")(hidden)
        hidden = layers.Dropout(0.2)(hidden)
    return _classifier("mlp", ink, hidden)


def cnn() -> Model:
    """The standard CNN: blocks of convolution, BatchNorm, ReLU, pooling and dropout, sized for two cores.

    Few filters while the image is large, and no padding there, is where training time is saved.
    """
    ink = _ink()
    hidden = _convolution(ink, 16, padding="valid")
    hidden = layers.Dropout(0.1)(layers.MaxPooling2D()(hidden))
    hidden = _convolution(hidden, 48, padding="valid")
    hidden = layers.Dropout(0.1)(layers.MaxPooling2D()(hidden))
    hidden = _convolution(hidden, 96)
    hidden = layers.Dropout(0.3)(layers.Flatten()(hidden))
    return _classifier("cnn", ink, hidden)


def separable_cnn() -> Model:
    """The advanced CNN: residual blocks of depthwise-separable convolutions (Chollet 2017) behind two plain ones.

    The plain ones come first because few channels on a large image make a depthwise convolution slow on a processor.
    """
    ink = _ink()
    hidden = layers.MaxPooling2D()(_convolution(ink, 32, padding="valid"))
    hidden = layers.MaxPooling2D()(_convolution(hidden, 64, padding="valid"))
    hidden = _separable(hidden, 224)
    for _ in range(3):
        hidden = layers.Add()([hidden, _separable(hidden, 224)])
    hidden = layers.GlobalAveragePooling2D()(hidden)
    hidden = layers.Dropout(0.2)(hidden)
    return _classifier("separable_cnn", ink, hidden)


ARCHITECTURES = {"mlp": mlp, "cnn": cnn, "separable_cnn": separable_cnn}


def _ink() -> KerasTensor:
    return layers.Input((28, 28, 1), name="ink")


def _convolution(hidden: KerasTensor, filters: int, padding: str = "same") -> KerasTensor:
    # BatchNorm's own shift makes the convolution's bias redundant.
    hidden = layers.Conv2D(filters, 3, padding=padding, use_bias=False)(hidden)
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(hidden))


def _separable(hidden: KerasTensor, filters: int) -> KerasTensor:
    hidden = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(hidden)
    hidden = layers.Conv2D(filters, 1, use_bias=False)(hidden)
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(hidden))


def _classifier(name: str, ink: KerasTensor, features: KerasTensor) -> Model:
    logits = layers.Dense(10, name="logits")(features)
    return Model(ink, layers.Softmax(name="probabilities")(logits), name=name)
