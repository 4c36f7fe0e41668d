"""Damage that a digit may meet: 28 corruptions, each with five severities in a unit of its own.

Fifteen are those of MNIST-C (Mu and Gilmer 2019, arXiv 1906.02337), built from their definitions; the level that
MNIST-C uses is one of the five. Two of them, rotation and translation, are also among the plain ones (noise, blur,
rotation, shift, stroke) that every study starts with. The others are what real pages have.

A formula takes images, uint8 (N, 28, 28), ink 255 on paper 0, an amount in the corruption's unit, and `Streams`, and
gives new images of the same kind. What is drawn for an image is the same at every severity, so that a stronger severity
is the same damage, only more of it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from digits.corruptions import blur, geometry, light, marks, noise, stroke
from digits.corruptions.streams import Streams
from digits.images import SIDE

SEVERITIES = (1, 2, 3, 4, 5)
# Images worked on together: their float copies stay in the processor's cache.
CHUNK = 64


@dataclass(frozen=True, kw_only=True)
class Corruption:
    """One kind of damage with its five severities.

    Attributes:
        name: its name; MNIST-C's where it is one of theirs.
        kind: the group it is shown in.
        levels: the amount at severities 1 to 5.
        unit: what the amounts are counted in.
        neutral: the amount that leaves an image alone; infinite where only ever more of something does.
        mnist_c: the severity that has MNIST-C's own level; None if it isn't one of theirs.
        seen_with: families of `Augmentation` that are this same damage.
        related_to: families of `Augmentation` that resemble it.
        damage: (images, amount, streams) -> images.
    """

    name: str
    kind: str
    levels: tuple[float, float, float, float, float]
    unit: str
    damage: Callable[[np.ndarray, float, Streams], np.ndarray]
    neutral: float = 0
    mnist_c: int | None = None
    seen_with: tuple[str, ...] = ()
    related_to: tuple[str, ...] = ()

    def __call__(
        self, images: np.ndarray, severity: int, rng: np.random.Generator, indices: Sequence[int] | None = None
    ) -> np.ndarray:
        """Damage `images` at a severity from 1 to 5; 0 gives a copy.

        Args:
            images: uint8 (N, 28, 28).
            severity: 0 to 5.
            rng: gives one key. With the same key, image i is damaged in the same way in any batch.
            indices: the images' places in the set they come from; 0 to N - 1 if left out.

        Raises:
            ValueError: the images have another shape or dtype, or there is no such severity.
        """
        if severity not in (0, *SEVERITIES):
            raise ValueError(f"severity must be 0 to 5, got {severity}")
        return self.at(images, self.amount(severity), rng, indices)

    def amount(self, severity: float) -> float:
        """The amount at a severity from 0 to 5, in the corruption's unit; on straight lines between the levels."""
        if severity < 1 and np.isinf(self.neutral):
            # One over the amount is on a straight line.
            return self.levels[0] / severity if severity else self.neutral
        return float(np.interp(severity, (0, *SEVERITIES), (self.neutral, *self.levels)))

    def at(
        self, images: np.ndarray, amount: float, rng: np.random.Generator, indices: Sequence[int] | None = None
    ) -> np.ndarray:
        """Damage `images` by any amount in the corruption's unit; otherwise as a call with a severity."""
        # OpenCV writes into rows that lie one behind the other.
        images = np.ascontiguousarray(images)
        if images.dtype != np.uint8 or images.ndim != 3 or images.shape[1:] != (SIDE, SIDE):
            raise ValueError(f"expected images as uint8 (N, 28, 28), got {images.dtype} {images.shape}")
        indices = np.arange(len(images)) if indices is None else np.asarray(indices)
        if len(indices) != len(images):
            raise ValueError(f"expected one index an image, got {len(indices)} for {len(images)}")
        key = int.from_bytes(rng.bytes(16))
        if amount == self.neutral:
            return images.copy()
        damaged = np.empty_like(images)
        for start in range(0, len(images), CHUNK):
            part = slice(start, start + CHUNK)
            damaged[part] = self.damage(images[part], amount, Streams(key, indices[part]))
        return damaged


_ALL = (
    Corruption(name="gaussian_noise", kind="noise", damage=noise.gaussian_noise, levels=(20, 40, 60, 80, 100),
               unit="σ, grey levels", seen_with=("noise",)),
    Corruption(name="shot_noise", kind="noise", damage=noise.shot_noise, levels=(60, 25, 12, 5, 3),
               unit="photons in full ink", neutral=np.inf, mnist_c=5, related_to=("noise",)),
    Corruption(name="impulse_noise", kind="noise", damage=noise.impulse_noise, levels=(3, 6, 9, 17, 27),
               unit="% of pixels", mnist_c=4, related_to=("noise",)),
    Corruption(name="gaussian_blur", kind="blur", damage=blur.gaussian_blur, levels=(0.5, 1, 1.5, 2, 3),
               unit="σ, px", seen_with=("blur",)),
    Corruption(name="glass_blur", kind="blur", damage=blur.glass_blur, levels=(1, 2, 3, 4, 5),
               unit="passes", mnist_c=2, related_to=("blur",)),
    Corruption(name="motion_blur", kind="blur", damage=blur.motion_blur, levels=(1, 2, 3, 4, 5),
               unit="σ, px", mnist_c=3, related_to=("blur",)),
    Corruption(name="downsampling", kind="blur", damage=blur.downsampling, levels=(20, 14, 10, 8, 6),
               unit="px a side", neutral=28, related_to=("blur",)),
    Corruption(name="jpeg", kind="blur", damage=blur.jpeg, levels=(60, 30, 15, 8, 4),
               unit="quality", neutral=100, related_to=("blur", "noise",)),
    Corruption(name="rotate", kind="geometry", damage=geometry.rotate, levels=(10, 22.9, 35, 45, 60),
               unit="degrees", mnist_c=2, seen_with=("rotation",)),
    Corruption(name="shear", kind="geometry", damage=geometry.shear, levels=(0.2, 0.4, 0.6, 0.8, 1),
               unit="px a row", mnist_c=2, seen_with=("shear",)),
    Corruption(name="scale", kind="geometry", damage=geometry.scale, levels=(90, 80, 70, 60, 50),
               unit="% of the size", neutral=100, mnist_c=3, seen_with=("scale",)),
    Corruption(name="translate", kind="geometry", damage=geometry.translate, levels=(1, 2, 3, 4, 5),
               unit="px along both axes", mnist_c=3, seen_with=("shift",)),
    Corruption(name="elastic", kind="geometry", damage=geometry.elastic, levels=(0.5, 1, 1.5, 2, 2.5),
               unit="px displaced", seen_with=("elastic",)),
    Corruption(name="thicker", kind="stroke", damage=stroke.thicker, levels=(1, 2, 3, 4, 5),
               unit="px wider", seen_with=("stroke",)),
    Corruption(name="thinner", kind="stroke", damage=stroke.thinner, levels=(0.5, 1, 1.5, 2, 2.5),
               unit="px thinner", seen_with=("stroke",)),
    Corruption(name="canny_edges", kind="stroke", damage=stroke.canny_edges, levels=(20, 40, 60, 80, 100),
               unit="% faded into edges", mnist_c=5, related_to=("hollow", "filters")),
    Corruption(name="brightness", kind="light", damage=light.brightness, levels=(10, 20, 30, 40, 50),
               unit="% added", mnist_c=5, related_to=("contrast",)),
    Corruption(name="low_contrast", kind="light", damage=light.low_contrast, levels=(80, 60, 40, 20, 10),
               unit="% of the contrast left", neutral=100, seen_with=("contrast",)),
    Corruption(name="faint_ink", kind="light", damage=light.faint_ink, levels=(80, 60, 40, 20, 10),
               unit="% of the ink left", neutral=100, seen_with=("contrast",)),
    Corruption(name="uneven_light", kind="light", damage=light.uneven_light, levels=(20, 35, 50, 65, 80),
               unit="% darker at one side", related_to=("contrast", "background")),
    Corruption(name="fog", kind="light", damage=light.fog, levels=(0.5, 1, 1.5, 2, 3),
               unit="times full ink", mnist_c=5, related_to=("contrast", "background")),
    Corruption(name="ruled_paper", kind="marks", damage=marks.ruled_paper, levels=(15, 30, 45, 60, 75),
               unit="% as dark as ink", related_to=("lines",)),
    Corruption(name="squared_paper", kind="marks", damage=marks.squared_paper, levels=(15, 30, 45, 60, 75),
               unit="% as dark as ink", related_to=("lines",)),
    Corruption(name="dotted_line", kind="marks", damage=marks.dotted_line, levels=(20, 40, 60, 80, 100),
               unit="% as dark as ink", mnist_c=5, related_to=("lines",)),
    Corruption(name="zigzag", kind="marks", damage=marks.zigzag, levels=(20, 40, 60, 80, 100),
               unit="% as dark as ink", mnist_c=5, related_to=("lines",)),
    Corruption(name="stripe", kind="marks", damage=marks.stripe, levels=(1, 3, 5, 7, 9),
               unit="columns a side", mnist_c=4, related_to=("erasing", "polarity")),
    Corruption(name="spatter", kind="marks", damage=marks.spatter, levels=(30, 40, 50, 60, 70),
               unit="% of the page", mnist_c=3, related_to=("background", "erasing")),
    Corruption(name="occlusion", kind="marks", damage=marks.occlusion, levels=(4, 6, 8, 10, 12),
               unit="px a side", seen_with=("erasing",)),
)  # fmt: skip
CORRUPTIONS = {corruption.name: corruption for corruption in _ALL}


def select(names: Iterable[str]) -> tuple[Corruption, ...]:
    """The corruptions with these names, in the table's order.

    Raises:
        ValueError: there is no corruption of that name.
    """
    names = set(names)
    if unknown := sorted(names - set(CORRUPTIONS)):
        raise ValueError(f"no corruption called {', '.join(unknown)}; there are: {', '.join(CORRUPTIONS)}")
    return tuple(corruption for name, corruption in CORRUPTIONS.items() if name in names)


def damage(
    images: np.ndarray, corruption: str, severity: int, seed: int, indices: Sequence[int] | None = None
) -> np.ndarray:
    """The images as this seed damages them, uint8 (N, 28, 28); image i depends on its index alone."""
    if severity == 0:
        return images.copy()
    return CORRUPTIONS[corruption](images, severity, np.random.default_rng([seed, *corruption.encode()]), indices)
