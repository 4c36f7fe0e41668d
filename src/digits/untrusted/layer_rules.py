"""For each layer that an untrusted model may have, a rule for its output shape and its number of weights.

A rule takes the layer's config and its input shape without the batch axis. It repeats Keras's arithmetic without Keras.
"""

import math
from collections.abc import Callable, Sequence

from digits.untrusted import sequence_rules as sequences
from digits.untrusted.shapes import WINDOW, Result, Shape, bias, count

# Depthwise outputs per channel. No shape shows those inside a separable convolution, so they are limited here.
DEPTH_MULTIPLIER = 8
# All of Keras's, except those that take arguments, change the shape or can't be exported to ONNX.
ACTIVATIONS = (
    {"linear", "relu", "relu6", "leaky_relu", "elu", "selu", "silu", "swish", "hard_silu", "hard_swish"}
    | {"mish", "tanh", "hard_tanh", "tanh_shrink", "sigmoid", "hard_sigmoid", "log_sigmoid", "softmax"}
    | {"log_softmax", "softplus", "softsign", "exponential", "squareplus", "hard_shrink", "soft_shrink"}
    | {"sparse_plus", "sparse_sigmoid", "sparsemax", "gelu"}
)
# Layers that may be the activation of another layer.
ACTIVATION_LAYERS = {"ReLU", "LeakyReLU", "ELU", "Softmax"}


def _input(config: dict, shape: Shape) -> Result:
    if (declared := tuple(config["batch_shape"][1:])) != shape:
        raise ValueError(f"expected an input of shape {declared}, got {shape}")
    return shape, 0


def _unchanged(config: dict, shape: Shape) -> Result:
    return shape, 0


def _dense(config: dict, shape: Shape) -> Result:
    units = count(config, "units")
    return (*shape[:-1], units), (shape[-1] + bias(config)) * units


def _convolution(config: dict, shape: Shape) -> Result:
    extents, channels, kernel = _slide(config, shape, "kernel_size")
    filters = count(config, "filters")
    return (*extents, filters), (kernel * channels + bias(config)) * filters


def _depthwise(config: dict, shape: Shape) -> Result:
    extents, channels, kernel = _slide(config, shape, "kernel_size")
    channels *= count(config, "depth_multiplier", DEPTH_MULTIPLIER)
    return (*extents, channels), (kernel + bias(config)) * channels


def _separable(config: dict, shape: Shape) -> Result:
    extents, channels, kernel = _slide(config, shape, "kernel_size")
    channels *= count(config, "depth_multiplier", DEPTH_MULTIPLIER)
    filters = count(config, "filters")
    return (*extents, filters), kernel * channels + (channels + bias(config)) * filters


def _transposed(config: dict, shape: Shape) -> Result:
    *extents, channels = _image(shape)
    windows, steps = _window(config, "kernel_size"), _pair(config, "strides")
    for axis, (window, step) in enumerate(zip(windows, steps, strict=True)):
        extents[axis] = extents[axis] * step + (max(window - step, 0) if config.get("padding") == "valid" else 0)
    filters = count(config, "filters")
    return (*extents, filters), (math.prod(_pair(config, "kernel_size")) * channels + bias(config)) * filters


def _pooling(config: dict, shape: Shape) -> Result:
    extents, channels, _ = _slide(config, shape, "pool_size")
    return (*extents, channels), 0


def _global_pooling(config: dict, shape: Shape) -> Result:
    channels = _image(shape)[-1]
    return ((1, 1, channels) if config.get("keepdims") else (channels,)), 0


def _normalisation(statistics: int) -> Callable[[dict, Shape], Result]:
    def rule(config: dict, shape: Shape) -> Result:
        axis = config.get("axis", -1)
        if axis not in (-1, [-1], len(shape), [len(shape)]):
            raise ValueError(f"expected normalisation along the last axis, got {axis!r:.20}")
        return shape, (statistics + bool(config.get("center", True)) + bool(config.get("scale", True))) * shape[-1]

    return rule


def _standardisation(config: dict, shape: Shape) -> Result:
    axes = config.get("axis", -1)
    chosen = [] if axes is None else axes if isinstance(axes, list) else [axes]
    kept = [shape[axis if axis < 0 else axis - 1] for axis in chosen if axis != 0]
    # Mean, variance and a counter, unless they are in the config.
    return shape, 2 * math.prod(kept) + 1 if config.get("mean") is None else 0


def _prelu(config: dict, shape: Shape) -> Result:
    shared = config.get("shared_axes") or []
    return shape, math.prod(extent for axis, extent in enumerate(shape, 1) if axis not in shared)


def _flatten(config: dict, shape: Shape) -> Result:
    return (math.prod(shape),), 0


def _reshape(config: dict, shape: Shape) -> Result:
    target = list(config["target_shape"])
    if target.count(-1) == 1:
        target[target.index(-1)] = math.prod(shape) // max(1, -math.prod(target))
    if any(type(extent) is not int or extent < 1 for extent in target) or math.prod(target) != math.prod(shape):
        raise ValueError(f"it can't reshape {shape} to {target!r:.40}")
    return tuple(target), 0


def _permute(config: dict, shape: Shape) -> Result:
    dims = config["dims"]
    if sorted(dims) != list(range(1, len(shape) + 1)):
        raise ValueError(f"it can't permute {shape} by {dims!r:.40}")
    return tuple(shape[dim - 1] for dim in dims), 0


def _margins(key: str, sign: int) -> Callable[[dict, Shape], Result]:
    def rule(config: dict, shape: Shape) -> Result:
        height, width, channels = _image(shape)
        value = config[key]
        rows, columns = value if isinstance(value, list) else (value, value)
        rows, columns = _pair({key: rows}, key, least=0), _pair({key: columns}, key, least=0)
        return (height + sign * sum(rows), width + sign * sum(columns), channels), 0

    return rule


def _enlargement(config: dict, shape: Shape) -> Result:
    height, width, channels = _image(shape)
    rows, columns = _pair(config, "size")
    return (height * rows, width * columns, channels), 0


def _elementwise(config: dict, shapes: Sequence[Shape]) -> Result:
    merged = tuple(max(extents) for extents in zip(*shapes, strict=False))
    fit = (
        len(shape) == len(merged) and all(each in (1, most) for each, most in zip(shape, merged, strict=True))
        for shape in shapes
    )
    if not all(fit):
        raise ValueError(f"it can't merge {shapes!r:.80}")
    return merged, 0


def _concatenation(config: dict, shapes: Sequence[Shape]) -> Result:
    axis, rank = config.get("axis", -1), len(shapes[0])
    axis = axis + rank if axis < 0 else axis - 1
    others = {(*shape[:axis], *shape[axis + 1 :]) for shape in shapes}
    if not 0 <= axis < rank or len(others) > 1 or {len(shape) for shape in shapes} != {rank}:
        raise ValueError(f"it can't merge {shapes!r:.80} along axis {axis + 1}")
    return (*shapes[0][:axis], sum(shape[axis] for shape in shapes), *shapes[0][axis + 1 :]), 0


def _bidirectional(config: dict, shape: Shape) -> Result:
    layers = [config["layer"], config.get("backward_layer") or config["layer"]]
    (output, weights, work), other = (_inner(layer, {"LSTM", "GRU", "SimpleRNN"}, shape) for layer in layers)
    if (output, weights, work) != other:
        raise ValueError("its two layers differ")
    if config.get("merge_mode", "concat") == "concat":
        output = (*output[:-1], 2 * output[-1])
    return output, 2 * weights, 2 * work


def _time_distributed(config: dict, shape: Shape) -> Result:
    steps, *each = shape
    output, weights, _ = _inner(config["layer"], {"Dense", "Conv2D", "Flatten", "MaxPooling2D"}, tuple(each))
    return (steps, *output), weights, weights * steps * math.prod(output[:-1])


def _inner(layer: dict, known: set[str], shape: Shape) -> tuple[Shape, int, int]:
    if layer["class_name"] not in known:
        raise ValueError(f"it wraps a {layer['class_name']}, which isn't supported")
    output, weights, *work = LAYERS[layer["class_name"]][0](layer["config"], shape)
    return output, weights, work[0] if work else 0


def _image(shape: Shape) -> Shape:
    if len(shape) != 3:
        raise ValueError(f"expected rows, columns and channels, got {shape}")
    return shape


def _pair(config: dict, key: str, default: int | None = None, least: int = 1) -> tuple[int, int]:
    """A config's number of rows and of columns, which may be given as one number for both."""
    value = config.get(key, default)
    pair = (value, value) if type(value) is int else tuple(value)
    if len(pair) != 2 or any(type(each) is not int or not least <= each <= WINDOW for each in pair):
        raise ValueError(f"its {key} must be two whole numbers from {least} to {WINDOW}, not {value!r:.40}")
    return pair


def _window(config: dict, key: str) -> tuple[int, int]:
    """The rows and columns of a kernel or window, dilated."""
    pairs = zip(_pair(config, key), _pair(config, "dilation_rate", 1), strict=True)
    rows, columns = ((size - 1) * dilation + 1 for size, dilation in pairs)
    return _pair({key: (rows, columns)}, key)


def _slide(config: dict, shape: Shape, key: str) -> tuple[Shape, int, int]:
    """The rows and columns of a sliding window's output, the image's channels, and the window's number of pixels."""
    *extents, channels = _image(shape)
    for axis, (window, step) in enumerate(zip(_window(config, key), _pair(config, "strides"), strict=True)):
        reach = extents[axis] if config.get("padding") == "same" else extents[axis] - window + 1
        extents[axis] = -(-reach // step)
        if extents[axis] < 1:
            raise ValueError(f"its {key} is larger than its input, {shape}")
    return tuple(extents), channels, math.prod(_pair(config, key))


CONVOLUTION = "kernel_size strides padding dilation_rate use_bias activation"
RECURRENT = "units activation use_bias return_sequences go_backwards"
# Each layer with its rule and the keys of its config that matter for inference.
LAYERS: dict[str, tuple[Callable[[dict, Shape], Result], str]] = {
    "InputLayer": (_input, "batch_shape"),
    "Dense": (_dense, "units use_bias activation"),
    "Conv2D": (_convolution, f"filters {CONVOLUTION}"),
    "DepthwiseConv2D": (_depthwise, f"depth_multiplier {CONVOLUTION}"),
    "SeparableConv2D": (_separable, f"depth_multiplier filters {CONVOLUTION}"),
    "Conv2DTranspose": (_transposed, f"filters {CONVOLUTION}"),
    "MaxPooling2D": (_pooling, "pool_size strides padding"),
    "AveragePooling2D": (_pooling, "pool_size strides padding"),
    "GlobalMaxPooling2D": (_global_pooling, "keepdims"),
    "GlobalAveragePooling2D": (_global_pooling, "keepdims"),
    "BatchNormalization": (_normalisation(2), "axis epsilon center scale"),
    "LayerNormalization": (_normalisation(0), "axis epsilon center scale rms_scaling"),
    "GroupNormalization": (_normalisation(0), "groups axis epsilon center scale"),
    "UnitNormalization": (_unchanged, "axis"),
    "Activation": (_unchanged, "activation"),
    "ReLU": (_unchanged, "max_value negative_slope threshold"),
    "LeakyReLU": (_unchanged, "negative_slope"),
    "PReLU": (_prelu, "shared_axes"),
    "ELU": (_unchanged, "alpha"),
    "Softmax": (_unchanged, "axis"),
    "Flatten": (_flatten, ""),
    "Reshape": (_reshape, "target_shape"),
    "Permute": (_permute, "dims"),
    "ZeroPadding2D": (_margins("padding", 1), "padding"),
    "Cropping2D": (_margins("cropping", -1), "cropping"),
    "UpSampling2D": (_enlargement, "size interpolation"),
    "Rescaling": (_unchanged, "scale offset"),
    "Normalization": (_standardisation, "axis mean variance invert"),
    "Conv1D": (sequences.convolution, f"filters {CONVOLUTION}"),
    "MaxPooling1D": (sequences.pooling, "pool_size strides padding"),
    "AveragePooling1D": (sequences.pooling, "pool_size strides padding"),
    "GlobalMaxPooling1D": (sequences.global_pooling, "keepdims"),
    "GlobalAveragePooling1D": (sequences.global_pooling, "keepdims"),
    "SimpleRNN": (sequences.recurrent(1), RECURRENT),
    "LSTM": (sequences.recurrent(4), f"{RECURRENT} recurrent_activation"),
    "GRU": (sequences.recurrent(3), f"{RECURRENT} recurrent_activation reset_after"),
    "Bidirectional": (_bidirectional, "layer backward_layer merge_mode"),
    "TimeDistributed": (_time_distributed, "layer"),
    "RepeatVector": (sequences.repetition, "n"),
    "Identity": (_unchanged, ""),
}
# Layers that do nothing outside training.
IDENTITIES = (
    {"Dropout", "SpatialDropout1D", "SpatialDropout2D", "AlphaDropout", "GaussianDropout", "GaussianNoise"}
    | {"ActivityRegularization", "AugMix", "RandAugment", "RandomBrightness", "RandomColorDegeneration"}
    | {"RandomColorJitter", "RandomContrast", "RandomElasticTransform", "RandomErasing", "RandomFlip"}
    | {"RandomGaussianBlur", "RandomGrayscale", "RandomHue", "RandomInvert", "RandomPerspective"}
    | {"RandomPosterization", "RandomRotation", "RandomSaturation", "RandomSharpness", "RandomShear"}
    | {"RandomTranslation", "RandomZoom"}
)
MULTI_HEAD = "num_heads key_dim value_dim use_bias output_shape attention_axes"
MERGING: dict[str, tuple[Callable[[dict, Sequence[Shape]], Result], str]] = {
    **dict.fromkeys(("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"), (_elementwise, "")),
    "Concatenate": (_concatenation, "axis"),
    "Attention": (sequences.attention, "use_scale score_mode"),
    "AdditiveAttention": (sequences.attention, "use_scale"),
    "MultiHeadAttention": (sequences.multi_head_attention, MULTI_HEAD),
}
