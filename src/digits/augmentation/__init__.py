"""Random changes to training digits that preserve their labels, in generic families.

In and out: images, uint8 (N, 28, 28), ink 255 on paper 0; the modules hold one function per family, which draws from
the given generator. OpenCV releases Python's global lock, so one thread prepares a batch while others train.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from digits.augmentation import light, marks, shape

# `calmed` multiplies changes of shape, and the share of damaged digits, by these.
CALM_SHAPE, CALM_DAMAGE = 0.45, 0.3


@dataclass(frozen=True)
class Augmentation:
    """The strength of each family; 0 switches it off. Cards record these numbers.

    Attributes:
        flags: fraction of the ones that get a flag at their top, if labels are given.
        rotation: largest rotation in either direction, degrees.
        scale: largest change of size, as a fraction, of both axes together; half as much again of each axis alone.
        shear: largest horizontal shear, pixels per row.
        shift: largest translation along each axis, pixels.
        elastic: largest smooth displacement, pixels.
        damaged: fraction of the digits that the families below may act on; only the shape of the others changes.
        share: fraction of the damaged digits that each of the families below acts on.
        stroke: 1 to make strokes thicker or thinner.
        ripple: largest displacement by fine ripples, pixels.
        hollow: 1 to reduce strokes to their outlines.
        lines: 1 to draw stray lines.
        erasing: 1 to cover or invert rectangles.
        blur: largest standard deviation of Gaussian blur, pixels.
        filters: standard deviation of the coefficients of a random filter, times three.
        contrast: largest loss of contrast, as a fraction, in any part of the grey scale, along a random tone curve.
        background: largest amplitude of a smooth random background, as a fraction of full ink.
        noise: largest standard deviation of noise, grey levels.
        polarity: fraction of the damaged digits that are inverted.
    """

    flags: float = 0
    rotation: float = 0
    scale: float = 0
    shear: float = 0
    shift: float = 0
    elastic: float = 0
    damaged: float = 1
    share: float = 0.2
    stroke: float = 0
    ripple: float = 0
    hollow: float = 0
    lines: float = 0
    erasing: float = 0
    blur: float = 0
    filters: float = 0
    contrast: float = 0
    background: float = 0
    noise: float = 0
    polarity: float = 0

    def __call__(self, images: np.ndarray, rng: np.random.Generator, labels: np.ndarray | None = None) -> np.ndarray:
        """Change each image independently.

        Args:
            images: uint8 (N, 28, 28); not modified.
            labels: (N,), for `flags`.

        Returns:
            uint8 (N, 28, 28).
        """
        if self.flags and labels is not None:
            images = images.copy()
            chosen = (labels == 1) & (rng.random(len(images)) < self.flags)
            _apply(lambda part: shape.add_flags(part, rng), images, chosen)
        images = shape.warp(
            images,
            rng,
            rotation=self.rotation,
            scale=self.scale,
            shear=self.shear,
            shift=self.shift,
            elastic=self.elastic,
        )
        damaged = rng.random(len(images)) < self.damaged
        for strength, family in (
            (self.stroke, lambda part: shape.change_stroke(part, rng)),
            (self.ripple, lambda part: shape.ripple(part, rng, self.ripple)),
            (self.hollow, lambda part: shape.hollow(part, rng)),
            (self.lines, lambda part: marks.draw_lines(part, rng)),
            (self.erasing, lambda part: marks.erase(part, rng)),
            (self.blur, lambda part: light.blur(part, rng, self.blur)),
            (self.filters, lambda part: light.random_filter(part, rng, self.filters)),
            (self.contrast, lambda part: light.change_tone(part, rng, self.contrast)),
            (self.background, lambda part: light.cloud(part, rng, self.background)),
            (self.noise, lambda part: light.add_noise(part, rng, self.noise)),
        ):
            if strength:
                _apply(family, images, damaged & (rng.random(len(images)) < self.share))
        if self.polarity:
            _apply(lambda part: 255 - part, images, damaged & (rng.random(len(images)) < self.polarity))
        return images

    def calmed(self) -> "Augmentation":
        """A weaker augmentation for the last epochs: shapes change less than half as much, and few digits are damaged.

        The last epochs influence accuracy on clean digits most, and robustness isn't forgotten quickly.
        """
        shapes = {name: CALM_SHAPE * getattr(self, name) for name in ("rotation", "scale", "shear", "shift")}
        return replace(self, damaged=CALM_DAMAGE * self.damaged, **shapes)


def _apply(family: Callable[[np.ndarray], np.ndarray], images: np.ndarray, chosen: np.ndarray) -> None:
    if chosen.any():
        images[chosen] = family(images[chosen])


LIGHT = Augmentation(
    rotation=20,
    scale=0.2,
    shear=0.2,
    shift=2.5,
    elastic=1.3,
    share=0.15,
    stroke=1,
    erasing=1,
)
STRONG = Augmentation(
    flags=0.3,
    rotation=28,
    scale=0.28,
    shear=0.3,
    shift=3,
    elastic=1.3,
    damaged=0.35,
    share=0.25,
    stroke=1,
    ripple=2,
    hollow=1,
    lines=1,
    erasing=1,
    blur=2.0,
    filters=1.0,
    contrast=0.9,
    background=0.9,
    noise=80,
    polarity=0.05,
)
BY_NAME = {"none": None, "light": LIGHT, "strong": STRONG}
FAMILIES = tuple(field.name for field in fields(Augmentation) if field.name not in ("damaged", "share"))


def by_name(name: str, leave_out: Sequence[str] = ()) -> Augmentation | None:
    """The augmentation with this name, without the families to leave out; None for "none".

    Raises:
        ValueError: a family is unknown, or the augmentation has none of that name.
    """
    if unknown := sorted(set(leave_out) - set(FAMILIES)):
        raise ValueError(f"no family of augmentation called {', '.join(unknown)}; there are: {', '.join(FAMILIES)}")
    whole = BY_NAME[name]
    if missing := [family for family in leave_out if not getattr(whole, family, 0)]:
        raise ValueError(f"augmentation {name} has no {', '.join(missing)} to leave out")
    return replace(whole, **dict.fromkeys(leave_out, 0)) if whole else None
