"""Rules, as in `layer_rules`, for layers along one axis: recurrent ones, attention and 1D convolutions.

A rule returns a third number where a layer multiplies more often than it has weights for each output position.
"""

from collections.abc import Sequence

from digits.untrusted.shapes import Result, Shape, bias, count, window

# Recurrent layers compute one step after the other; a digit has 28 rows, or 784 pixels.
STEPS = 784
HEADS = 64


def convolution(config: dict, shape: Shape) -> Result:
    """Conv1D."""
    steps, channels = _sequence(shape)
    filters, size = count(config, "filters"), _one(config, "kernel_size")
    return (_slide(config, steps, size, "kernel_size"), filters), (size * channels + bias(config)) * filters


def pooling(config: dict, shape: Shape) -> Result:
    """MaxPooling1D and AveragePooling1D."""
    steps, channels = _sequence(shape)
    return (_slide(config, steps, _one(config, "pool_size"), "pool_size"), channels), 0


def global_pooling(config: dict, shape: Shape) -> Result:
    """GlobalMaxPooling1D and GlobalAveragePooling1D."""
    _, channels = _sequence(shape)
    return ((1, channels) if config.get("keepdims") else (channels,)), 0


def recurrent(gates: int):
    """LSTM, GRU or SimpleRNN, by its number of gates."""

    def rule(config: dict, shape: Shape) -> Result:
        steps, channels = _sequence(shape)
        units = count(config, "units")
        if steps > STEPS:
            raise ValueError(f"it has more than {STEPS} steps: {steps}")
        biases = bias(config) * (2 if gates == 3 and config.get("reset_after", False) else 1)
        weights = gates * units * (channels + units + biases)
        output = (steps, units) if config.get("return_sequences") else (units,)
        return output, weights, weights * steps

    return rule


def repetition(config: dict, shape: Shape) -> Result:
    """RepeatVector."""
    if len(shape) != 1:
        raise ValueError(f"expected a vector, got {shape}")
    return (count(config, "n", STEPS), *shape), 0


def attention(config: dict, shapes: Sequence[Shape]) -> Result:
    """Attention and AdditiveAttention, of a query, a value and perhaps a key."""
    (steps, channels), (others, values) = _sequence(shapes[0]), _sequence(shapes[1])
    if not 2 <= len(shapes) <= 3 or _sequence(shapes[-1]) != (others, channels):
        raise ValueError(f"it can't attend to {shapes!r:.80}")
    weights = bool(config.get("use_scale")) * (channels if "score_mode" not in config else 1)
    concatenates = config.get("score_mode", "dot") == "concat"
    return (steps, values), weights + concatenates, _pairs(steps, others) * (channels + values)


def multi_head_attention(config: dict, shapes: Sequence[Shape]) -> Result:
    """MultiHeadAttention, of a query, a value and perhaps a key."""
    (steps, queries), (others, values) = _sequence(shapes[0]), _sequence(shapes[1])
    keys_steps, keys = _sequence(shapes[-1])
    if not 2 <= len(shapes) <= 3 or keys_steps != others:
        raise ValueError(f"it can't attend to {shapes!r:.80}")
    heads, size = count(config, "num_heads", HEADS), count(config, "key_dim")
    width = count(config, "value_dim") if config.get("value_dim") else size
    output = _output(config.get("output_shape"), queries)
    if config.get("attention_axes") not in (None, [1], 1):
        raise ValueError("it attends along other axes than the first")
    biases = bias(config)
    weights = heads * (size * (queries + keys + 2 * biases) + width * (values + biases))
    weights += (heads * width + biases) * output
    work = weights * max(steps, others) + heads * _pairs(steps, others) * (size + width)
    return (steps, output), weights, work


def _output(declared: object, otherwise: int) -> int:
    if declared is None:
        return otherwise
    return count({"output_shape": declared[0] if isinstance(declared, list) else declared}, "output_shape")


def _sequence(shape: Shape) -> tuple[int, int]:
    if len(shape) != 2:
        raise ValueError(f"expected steps and channels, got {shape}")
    return shape[0], shape[1]


def _pairs(steps: int, others: int) -> int:
    if steps * others > STEPS * STEPS:
        raise ValueError(f"it compares {steps} with {others} steps, too many")
    return steps * others


def _one(config: dict, key: str) -> int:
    value = config[key]
    return window({key: value[0] if isinstance(value, list) and len(value) == 1 else value}, key)


def _slide(config: dict, steps: int, size: int, key: str) -> int:
    dilation = _one(config, "dilation_rate") if config.get("dilation_rate") else 1
    stride = _one(config, "strides") if config.get("strides") else size
    reach = steps if config.get("padding") in ("same", "causal") else steps - (size - 1) * dilation
    if reach < 1:
        raise ValueError(f"its {key} is larger than its input of {steps} steps")
    return -(-reach // stride)
