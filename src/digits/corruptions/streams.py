"""Random numbers per image: those of the image with index i depend on a key and on i, not on the rest of the batch."""

from collections.abc import Iterator, Sequence

import numpy as np

Indices = Sequence[int] | np.ndarray


class Streams:
    """Draw for several images at once, each from the image's own stream.

    Philox (Salmon et al. 2011) computes its numbers from a counter of four words, so it can jump to any position of its
    sequence. The image's index is the highest word, the number of the draw the second highest.

    Attributes:
        key: 128 bits, the same for all images of a data set.
        indices: (N,), the images' indices in their data set.
    """

    def __init__(self, key: int, indices: Indices):
        self.key = key
        self.indices = indices
        self._bits = np.random.Philox(key=key)
        self._generator = np.random.Generator(self._bits)
        self._draws = 0

    def each(self) -> Iterator[np.random.Generator]:
        """Yield a generator for each image in turn; it is valid until the next one is requested."""
        state = self._bits.state
        state["buffer_pos"], state["has_uint32"] = 4, 0
        counter = state["state"]["counter"]
        draw, self._draws = self._draws, self._draws + 1
        for index in self.indices:
            counter[:] = (0, 0, draw, index)
            # Much faster than creating a generator for each image.
            self._bits.state = state
            yield self._generator

    def normal(self, *shape: int) -> np.ndarray:
        """Standard normal numbers, float32 (N, *shape)."""
        drawn = np.empty((len(self.indices), *shape), np.float32)
        for generator, row in zip(self.each(), drawn, strict=True):
            generator.standard_normal(dtype=np.float32, out=row)
        return drawn

    def uniform(self, low: float, high: float, *shape: int) -> np.ndarray:
        """Uniformly distributed numbers from `low` to `high`, float32 (N, *shape)."""
        drawn = np.empty((len(self.indices), *(shape or (1,))), np.float32)
        for generator, row in zip(self.each(), drawn, strict=True):
            generator.random(dtype=np.float32, out=row)
        drawn *= high - low
        drawn += low
        return drawn if shape else drawn[:, 0]

    def signs(self, *shape: int) -> np.ndarray:
        """-1 or 1 with equal probability, float32 (N, *shape)."""
        return np.where(self.uniform(0, 1, *shape) < 0.5, np.float32(-1), np.float32(1))
