"""28 corruptions of digit images, each at five severities.

In: images, uint8 (N, 28, 28), ink 255 on paper 0. Out: corrupted images of the same shape and dtype.

Fifteen are those of MNIST-C (Mu and Gilmer 2019, arXiv 1906.02337): at one of the five severities, they have MNIST-C's
amount, and their digits are distributed like those of its generator, quirks included. The others are basic image
operations and defects of real pages.

The modules hold one function per corruption, `(images, amount, streams) -> images`, with the amount in the corruption's
own unit. An image's random numbers are the same at every severity, so that a higher severity is the same corruption,
only stronger.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from digits.corruptions import blur, geometry, light, marks, noise, stroke
from digits.corruptions.streams import Indices, Streams
from digits.images import check_images

SEVERITIES = (1, 2, 3, 4, 5)
# Raised whenever a corruption's pixels change, so that older stored results aren't mixed with new ones.
VERSION = 2
# Images processed together, few enough for their float copies to stay in the processor's cache.
CHUNK = 64


@dataclass(frozen=True, kw_only=True)
class Corruption:
    """A corruption with its five severities.

    Attributes:
        name: MNIST-C's name if it is one of theirs.
        kind: the group it is shown in.
        levels: the amounts at severities 1 to 5.
        unit: unit of the amounts.
        neutral: the amount that leaves an image unchanged; infinite if only the limit of ever larger amounts does.
        mnist_c: the severity at MNIST-C's own amount; None if it isn't one of theirs.
        seen_with: families of `Augmentation` that apply this corruption.
        related_to: families of `Augmentation` that resemble it.
        function: (images, amount, streams) -> images.
    """

    name: str
    kind: str
    levels: tuple[float, float, float, float, float]
    unit: str
    function: Callable[[np.ndarray, float, Streams], np.ndarray]
    neutral: float = 0
    mnist_c: int | None = None
    seen_with: tuple[str, ...] = ()
    related_to: tuple[str, ...] = ()

    def __call__(
        self, images: np.ndarray, severity: int, rng: np.random.Generator, indices: Indices | None = None
    ) -> np.ndarray:
        """Corrupt images at a severity.

        Args:
            images: uint8 (N, 28, 28).
            severity: 1 to 5; 0 returns a copy.
            rng: draws one key. With the same key, the image with index i is corrupted in the same way in any batch.
            indices: (N,), the images' indices in their data set; 0 to N - 1 by default.

        Returns:
            uint8 (N, 28, 28).

        Raises:
            ValueError: the images have another shape or dtype, the severity isn't 0 to 5, or there isn't one index for
                each image.
        """
        if severity not in (0, *SEVERITIES):
            raise ValueError(f"severity must be 0 to 5, got {severity}")
        return self.at(images, self.amount(severity), rng, indices)

    def amount(self, severity: float) -> float:
        """The amount at a severity from 0 to 5, in the corruption's unit, interpolated linearly between the levels."""
        if severity < 1 and np.isinf(self.neutral):
            # Interpolate the reciprocal of the amount instead.
            return self.levels[0] / severity if severity else self.neutral
        return float(np.interp(severity, (0, *SEVERITIES), (self.neutral, *self.levels)))

    def at(
        self, images: np.ndarray, amount: float, rng: np.random.Generator, indices: Indices | None = None
    ) -> np.ndarray:
        """Corrupt images by any amount in the corruption's unit; otherwise the same as a call with a severity."""
        # OpenCV needs contiguous rows.
        images = np.ascontiguousarray(images)
        check_images(images)
        indices = np.arange(len(images)) if indices is None else np.asarray(indices)
        if len(indices) != len(images):
            raise ValueError(f"expected one index per image, got {len(indices)} for {len(images)} images")
        key = int.from_bytes(rng.bytes(16))
        if amount == self.neutral:
            return images.copy()
        corrupted = np.empty_like(images)
        for start in range(0, len(images), CHUNK):
            part = slice(start, start + CHUNK)
            corrupted[part] = self.function(images[part], amount, Streams(key, indices[part]))
        return corrupted


_ALL = (
    Corruption(name="gaussian_noise", kind="noise", function=noise.gaussian_noise, levels=(20, 40, 60, 80, 100),
               unit="σ, grey levels", seen_with=("noise",)),
    Corruption(name="shot_noise", kind="noise", function=noise.shot_noise, levels=(60, 25, 12, 5, 3),
               unit="photons at full ink", neutral=np.inf, mnist_c=5, related_to=("noise",)),
    Corruption(name="impulse_noise", kind="noise", function=noise.impulse_noise, levels=(3, 6, 9, 17, 27),
               unit="% of pixels", mnist_c=4, related_to=("noise",)),
    Corruption(name="gaussian_blur", kind="blur", function=blur.gaussian_blur, levels=(0.5, 1, 1.5, 2, 3),
               unit="σ, px", seen_with=("blur",)),
    Corruption(name="glass_blur", kind="blur", function=blur.glass_blur, levels=(1, 2, 3, 4, 5),
               unit="passes", mnist_c=2, related_to=("blur", "ripple")),
    Corruption(name="motion_blur", kind="blur", function=blur.motion_blur, levels=(1, 2, 3, 4, 5),
               unit="σ, px", mnist_c=3, related_to=("blur",)),
    Corruption(name="downsampling", kind="blur", function=blur.downsampling, levels=(20, 14, 10, 8, 6),
               unit="px per side", neutral=28, related_to=("blur",)),
    Corruption(name="jpeg", kind="blur", function=blur.jpeg, levels=(60, 30, 15, 8, 4),
               unit="quality", neutral=100, related_to=("blur", "noise",)),
    Corruption(name="rotate", kind="geometry", function=geometry.rotate, levels=(10, 22.9, 35, 45, 60),
               unit="degrees", mnist_c=2, seen_with=("rotation",)),
    Corruption(name="shear", kind="geometry", function=geometry.shear, levels=(11.5, 22.9, 30, 37.5, 45),
               unit="degrees", mnist_c=2, seen_with=("shear",)),
    Corruption(name="scale", kind="geometry", function=geometry.scale, levels=(90, 80, 70, 60, 50),
               unit="% of the size", neutral=100, mnist_c=3, seen_with=("scale",)),
    Corruption(name="translate", kind="geometry", function=geometry.translate, levels=(1, 2, 3, 4, 5),
               unit="px along both axes", mnist_c=3, seen_with=("shift",)),
    Corruption(name="elastic", kind="geometry", function=geometry.elastic, levels=(0.5, 1, 1.5, 2, 2.5),
               unit="px displaced", seen_with=("elastic",)),
    Corruption(name="thicker", kind="stroke", function=stroke.thicker, levels=(1, 2, 3, 4, 5),
               unit="px wider", seen_with=("stroke",)),
    Corruption(name="thinner", kind="stroke", function=stroke.thinner, levels=(0.5, 1, 1.5, 2, 2.5),
               unit="px thinner", seen_with=("stroke",)),
    Corruption(name="canny_edges", kind="stroke", function=stroke.canny_edges, levels=(20, 40, 60, 80, 100),
               unit="% faded into edges", mnist_c=5, related_to=("hollow", "filters")),
    Corruption(name="brightness", kind="light", function=light.brightness, levels=(10, 20, 30, 40, 50),
               unit="% added", mnist_c=5, related_to=("contrast",)),
    Corruption(name="low_contrast", kind="light", function=light.low_contrast, levels=(80, 60, 40, 20, 10),
               unit="% of the contrast", neutral=100, seen_with=("contrast",)),
    Corruption(name="faint_ink", kind="light", function=light.faint_ink, levels=(80, 60, 40, 20, 10),
               unit="% of the ink", neutral=100, seen_with=("contrast",)),
    Corruption(name="uneven_light", kind="light", function=light.uneven_light, levels=(20, 35, 50, 65, 80),
               unit="% darker at one side", related_to=("contrast", "background")),
    Corruption(name="fog", kind="light", function=light.fog, levels=(0.5, 1, 1.5, 2, 3),
               unit="times full ink", mnist_c=5, related_to=("contrast", "background")),
    Corruption(name="ruled_paper", kind="marks", function=marks.ruled_paper, levels=(15, 30, 45, 60, 75),
               unit="% as dark as ink", related_to=("lines",)),
    Corruption(name="squared_paper", kind="marks", function=marks.squared_paper, levels=(15, 30, 45, 60, 75),
               unit="% as dark as ink", related_to=("lines",)),
    Corruption(name="dotted_line", kind="marks", function=marks.dotted_line, levels=(20, 40, 60, 80, 100),
               unit="% as dark as ink", mnist_c=5, related_to=("lines",)),
    Corruption(name="zigzag", kind="marks", function=marks.zigzag, levels=(20, 40, 60, 80, 100),
               unit="% as dark as ink", mnist_c=5, related_to=("lines",)),
    Corruption(name="stripe", kind="marks", function=marks.stripe, levels=(1, 3, 5, 7, 9),
               unit="columns per side", mnist_c=4, related_to=("erasing", "polarity")),
    Corruption(name="spatter", kind="marks", function=marks.spatter, levels=(30, 40, 50, 60, 70),
               unit="% of the page", mnist_c=3, related_to=("background", "erasing")),
    Corruption(name="occlusion", kind="marks", function=marks.occlusion, levels=(4, 6, 8, 10, 12),
               unit="px per side", seen_with=("erasing",)),
)  # fmt: skip
CORRUPTIONS = {corruption.name: corruption for corruption in _ALL}


def select(names: Iterable[str]) -> tuple[Corruption, ...]:
    """The corruptions with these names, in the order of `CORRUPTIONS`.

    Raises:
        ValueError: a name is unknown.
    """
    names = set(names)
    if unknown := sorted(names - set(CORRUPTIONS)):
        raise ValueError(f"no corruption called {', '.join(unknown)}; there are: {', '.join(CORRUPTIONS)}")
    return tuple(corruption for name, corruption in CORRUPTIONS.items() if name in names)


def corrupt(
    images: np.ndarray, corruption: str, severity: int, seed: int, indices: Indices | None = None
) -> np.ndarray:
    """Corrupt images, uint8 (N, 28, 28), by the corruption with this name, at a severity from 0 to 5.

    The result, uint8 (N, 28, 28), depends for each image only on the image, the seed and its index, 0 to N - 1 by
    default.
    """
    if severity == 0:
        return images.copy()
    return CORRUPTIONS[corruption](images, severity, np.random.default_rng([seed, *corruption.encode()]), indices)
