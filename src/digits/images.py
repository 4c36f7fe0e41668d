"""What an image is everywhere in the library: uint8 (N, 28, 28), ink 255 on paper 0."""

import numpy as np

# Pixels in height and width.
SIDE = 28


def check_images(images: np.ndarray) -> None:
    """Raise a ValueError unless `images` are what the library calls images: uint8 (N, 28, 28)."""
    if not (isinstance(images, np.ndarray) and images.dtype == np.uint8 and images.shape[1:] == (28, 28)):
        came = f"{images.dtype} {images.shape}" if isinstance(images, np.ndarray) else type(images).__name__
        raise ValueError(f"expected images as uint8 (N, 28, 28), got {came}")


def to_input(images: np.ndarray) -> np.ndarray:
    """The model's door: uint8 (N, 28, 28) to float32 (N, 28, 28, 1), ink 255 becoming 1."""
    return images[..., None].astype(np.float32) / np.float32(255)
