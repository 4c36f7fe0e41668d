"""The networks, each a pure function that fits on a screen.

All take ink, float32 (N, 28, 28, 1) in [0, 1], and end in a layer `logits` (10, linear) and a layer `probabilities`
(softmax). They consist of plain Keras layers, so `keras.saving.load_model` opens a checkpoint without this project.

Only `classic` has BatchNorm. On a CPU it takes longer than the convolutions, because Keras computes it in a dozen
passes over each feature map; and its statistics would be those of a mixture of clean and augmented digits that no
single digit resembles. He initialisation, warm-up and residual connections take its place.
"""

from typing import Any, Literal, cast

from keras import KerasTensor, Model, initializers, layers

# How the last feature maps become the features that the last layer weighs.
Pooling = Literal["average", "max", "flatten"]
POOLINGS = {"average": layers.GlobalAveragePooling2D, "max": layers.GlobalMaxPooling2D, "flatten": layers.Flatten}
# Initial variance of what a depthwise block adds to its input, as a multiple of the branch's own.
BRANCH = 0.09


def mlp() -> Model:
    """The classroom network: two hidden layers of 128 and 64 units."""
    ink = _ink()
    hidden = layers.Flatten(name="flatten")(ink)
    for index, units in enumerate((128, 64), start=1):
        hidden = layers.Dense(units, activation="relu", name=f"dense_{index}")(hidden)
        hidden = layers.Dropout(0.2, name=f"dropout_{index}")(hidden)
    return _classifier("mlp", ink, hidden)


def cnn() -> Model:
    """The standard CNN: four convolutions with ReLU, two of them pooled, sized for two cores.

    Having few filters and no padding while the image is large is what saves training time.
    """
    ink = _ink()
    hidden = _convolution(ink, 32, "1", padding="valid", pooled=True)
    hidden = _convolution(hidden, 64, "2", padding="valid")
    hidden = _convolution(hidden, 64, "3", pooled=True)
    hidden = _convolution(hidden, 96, "4")
    hidden = layers.Flatten(name="flatten")(hidden)
    return _classifier("cnn", ink, layers.Dropout(0.3, name="dropout")(hidden))


def classic() -> Model:
    """The network of most courses: convolution, BatchNorm, ReLU, max pooling and dropout, twice, then a dense layer."""
    ink = _ink()
    hidden = ink
    for block, filters in ((1, 32), (2, 64)):
        convolve = layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"convolution_{block}")
        hidden = layers.BatchNormalization(name=f"normalisation_{block}")(convolve(hidden))
        hidden = layers.ReLU(name=f"relu_{block}")(hidden)
        hidden = layers.MaxPooling2D(name=f"pool_{block}")(hidden)
        hidden = layers.Dropout(0.25, name=f"dropout_{block}")(hidden)
    hidden = layers.Dense(128, activation="relu", name="dense")(layers.Flatten(name="flatten")(hidden))
    return _classifier("classic", ink, layers.Dropout(0.5, name="dropout_3")(hidden))


def residual_cnn(pooling: Pooling = "average") -> Model:
    """A residual CNN of plain convolutions: four, then two residual blocks (He et al. 2016) on maps of 5×5."""
    ink = _ink()
    hidden = _convolution(ink, 32, "1", padding="valid", pooled=True)
    hidden = _convolution(hidden, 64, "2", padding="valid")
    hidden = _convolution(hidden, 64, "3")
    hidden = _convolution(hidden, 96, "4", pooled=True)
    for block in (5, 6):
        branch = _convolution(_convolution(hidden, 96, f"{block}a"), 96, f"{block}b")
        hidden = layers.Add(name=f"add_{block}")([hidden, branch])
    hidden = POOLINGS[pooling](name=pooling)(hidden)
    return _classifier("residual_cnn", ink, layers.Dropout(0.2, name="dropout")(hidden))


def depthwise_cnn(pooling: Pooling = "average") -> Model:
    """A depthwise CNN: after two plain convolutions, two residual depthwise blocks on maps of 5×5.

    A block is ConvNeXt's (Liu et al. 2022) without its normalisation: a depthwise 5×5 convolution, then two pointwise
    ones, of which the first doubles the number of maps.
    """
    ink = _ink()
    hidden = _convolution(ink, 32, "1", padding="valid", pooled=True)
    hidden = _convolution(hidden, 64, "2", padding="valid", pooled=True)
    hidden = layers.ReLU(name="relu_3")(_pointwise(hidden, 112, "3"))
    for block in (4, 5):
        branch = _depthwise(hidden, 5, str(block))
        branch = layers.ReLU(name=f"relu_{block}")(_pointwise(branch, 224, f"{block}a"))
        hidden = layers.Add(name=f"add_{block}")([hidden, _pointwise(branch, 112, f"{block}b", variance=BRANCH)])
    hidden = layers.ReLU(name="relu_6")(_pointwise(hidden, 256, "6"))
    hidden = POOLINGS[pooling](name=pooling)(hidden)
    return _classifier("depthwise_cnn", ink, layers.Dropout(0.2, name="dropout")(hidden))


def separable_cnn(pooling: Pooling = "average") -> Model:
    """A residual CNN with depthwise-separable convolutions (Chollet 2017) after two plain ones, for the ablations."""
    ink = _ink()
    hidden = _convolution(ink, 32, "1", padding="valid", pooled=True)
    hidden = _convolution(hidden, 64, "2", padding="valid", pooled=True)
    hidden = _separable(hidden, 224, "3")
    for block in (4, 5, 6):
        hidden = layers.Add(name=f"add_{block}")([hidden, _separable(hidden, 224, str(block))])
    hidden = POOLINGS[pooling](name=pooling)(hidden)
    return _classifier("separable_cnn", ink, layers.Dropout(0.2, name="dropout")(hidden))


ARCHITECTURES = {
    "mlp": mlp,
    "cnn": cnn,
    "classic": classic,
    "residual_cnn": residual_cnn,
    "depthwise_cnn": depthwise_cnn,
    "separable_cnn": separable_cnn,
}


def _ink() -> KerasTensor:
    return cast(KerasTensor, layers.Input((28, 28, 1), name="ink"))


def _convolution(
    hidden: KerasTensor, filters: int, label: str, padding: str = "same", pooled: bool = False
) -> KerasTensor:
    convolve = layers.Conv2D(filters, 3, padding=padding, kernel_initializer="he_normal", name=f"convolution_{label}")
    maps = convolve(hidden)
    if pooled:
        # ReLU after max pooling gives the same as before it, with a quarter of the work.
        maps = layers.MaxPooling2D(name=f"pool_{label}")(maps)
    return layers.ReLU(name=f"relu_{label}")(maps)


def _depthwise(hidden: KerasTensor, side: int, label: str) -> KerasTensor:
    # Keras takes a depthwise kernel's fan-in over all maps, though each output sees one: its own start is ten times
    # too small.
    start: Any = initializers.TruncatedNormal(stddev=1 / side)
    convolve = layers.DepthwiseConv2D(
        side, padding="same", use_bias=False, depthwise_initializer=start, name=f"depthwise_{label}"
    )
    return convolve(hidden)


def _separable(hidden: KerasTensor, filters: int, label: str) -> KerasTensor:
    hidden = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name=f"depthwise_{label}")(hidden)
    hidden = layers.Conv2D(filters, 1, kernel_initializer="he_normal", name=f"pointwise_{label}")(hidden)
    return layers.ReLU(name=f"relu_{label}")(hidden)


def _pointwise(hidden: KerasTensor, filters: int, label: str, variance: float = 2) -> KerasTensor:
    start: Any = initializers.VarianceScaling(variance)
    return layers.Conv2D(filters, 1, kernel_initializer=start, name=f"pointwise_{label}")(hidden)


def _classifier(name: str, ink: KerasTensor, features: KerasTensor) -> Model:
    # In float32 whatever the other layers compute in, because the loss depends on small differences of logits.
    logits = layers.Dense(10, name="logits", dtype="float32")(features)
    return Model(ink, layers.Softmax(name="probabilities", dtype="float32")(logits), name=name)
