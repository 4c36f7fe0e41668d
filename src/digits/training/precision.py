"""The precision that a network's layers compute in while it is trained."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import keras

from digits.training.recipe import Recipe

# As Linux names them.
BFLOAT16_IN_HARDWARE = ("amx_bf16", "avx512_bf16")


def precision(recipe: Recipe) -> str:
    """What the recipe's precision, which may be `auto`, means on this machine.

    Processors that multiply bfloat16 matrices in hardware (Intel's AMX, AVX-512's BF16 instructions) train faster in
    bfloat16, others slower. Weights, their averages and their updates are float32 in either precision.
    """
    if recipe.precision != "auto":
        return recipe.precision
    flags = Path("/proc/cpuinfo")
    processor = flags.read_text(encoding="utf-8") if flags.is_file() else ""
    return "bfloat16" if any(flag in processor for flag in BFLOAT16_IN_HARDWARE) else "float32"


@contextmanager
def layers_computing_in(precision: str) -> Iterator[None]:
    """Layers made within the block compute in `float32`, or in `bfloat16` with float32 weights."""
    earlier = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16" if precision == "bfloat16" else precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(earlier)
