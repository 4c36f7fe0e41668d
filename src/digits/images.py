"""The library's image format: uint8 (N, 28, 28), ink 255 on paper 0, as in MNIST."""

import numpy as np

# Height and width in pixels.
SIDE = 28


def check_images(images: np.ndarray) -> None:
    """Check that `images` are uint8 (N, 28, 28).

    Raises:
        ValueError: they aren't an array, or have another shape or dtype.
    """
    if not (isinstance(images, np.ndarray) and images.dtype == np.uint8 and images.shape[1:] == (SIDE, SIDE)):
        came = f"{images.dtype} {images.shape}" if isinstance(images, np.ndarray) else type(images).__name__
        raise ValueError(f"expected images as uint8 (N, 28, 28), got {came}")


def to_input(images: np.ndarray) -> np.ndarray:
    """Convert images, uint8 (N, 28, 28), to a network's input, float32 (N, 28, 28, 1) in [0, 1]."""
    return images[..., None].astype(np.float32) / np.float32(255)
