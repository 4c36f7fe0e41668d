"""Numbers in an untrusted layer's config, checked against limits."""

Shape = tuple[int, ...]
# A layer's output shape, its number of weights and, where that isn't weights × positions, its multiplications.
Result = tuple[Shape, int] | tuple[Shape, int, int]

# Limit for the rows or columns of a dilated kernel, a window, a stride or a margin: over twice those of a digit.
WINDOW = 64
# Limit for the units or filters of a layer.
CHANNELS = 4096


def count(config: dict, key: str, most: int = CHANNELS) -> int:
    """A whole number from 1 to `most`."""
    value = config[key]
    if type(value) is not int or not 1 <= value <= most:
        raise ValueError(f"its {key} must be a whole number from 1 to {most:,}, not {value!r:.20}")
    return value


def window(config: dict, key: str) -> int:
    """The size or step of a window along one axis."""
    return count(config, key, WINDOW)


def bias(config: dict) -> bool:
    """Whether a layer has biases."""
    return bool(config.get("use_bias", True))
