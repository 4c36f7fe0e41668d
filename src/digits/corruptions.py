"""Damage that a digit may meet: 28 corruptions, each with five severities in a unit of its own.

Fifteen are those of MNIST-C (Mu and Gilmer 2019, arXiv 1906.02337), built from their definitions; the level that MNIST-C
uses is one of the five. Two of them, rotation and translation, are also among the plain ones (noise, blur, rotation,
shift, stroke) that every study starts with. The others are what real pages have.

Every function takes images, uint8 (N, 28, 28), ink 255 on paper 0, an amount in the corruption's unit, and `Streams`, and
gives new images of the same kind. What is drawn for an image is the same at every severity, so that a stronger severity
is the same damage, only more of it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from digits.streams import Streams

SIDE = 28
CENTRE = (SIDE - 1) / 2
SEVERITIES = (1, 2, 3, 4, 5)
# Images worked on together: their float copies stay in the processor's cache.
CHUNK = 64
# The stroke is widened and thinned on an enlarged image, so that fractions of a pixel can be asked for.
STROKE_ENLARGEMENT = 4
INK_OF_LINE = 1.4


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
    seen_with: frozenset[str] = frozenset()
    related_to: frozenset[str] = frozenset()

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

    def amount(self, severity: int) -> float:
        """The amount at a severity from 0 to 5, in the corruption's unit."""
        return (self.neutral, *self.levels)[severity]

    def at(
        self, images: np.ndarray, amount: float, rng: np.random.Generator, indices: Sequence[int] | None = None
    ) -> np.ndarray:
        """Damage `images` by any amount in the corruption's unit; otherwise as a call with a severity."""
        images = np.asarray(images)
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


def gaussian_noise(images: np.ndarray, sigma: float, streams: Streams) -> np.ndarray:
    """Add normal noise of standard deviation `sigma`, in grey levels of 255."""
    return _as_grey(images + sigma * streams.normal(SIDE, SIDE))


def shot_noise(images: np.ndarray, photons: float, streams: Streams) -> np.ndarray:
    """Count light: Poisson numbers with a mean of `photons` in full ink, scaled back."""
    counted = np.zeros(images.shape, np.float32)
    rates = images * np.float32(photons / 255)
    inked = images > 0
    for generator, rate, where, count in zip(streams.each(), rates, inked, counted, strict=True):
        count[where] = generator.poisson(rate[where])
    return _as_grey(counted * np.float32(255 / photons))


def impulse_noise(images: np.ndarray, percent: float, streams: Streams) -> np.ndarray:
    """Salt and pepper: `percent` of the pixels become black or white, with equal chance."""
    chance = streams.uniform(0, 100, SIDE, SIDE)
    noisy = images.copy()
    noisy[chance < percent / 2] = 0
    noisy[chance >= 100 - percent / 2] = 255
    return noisy


def gaussian_blur(images: np.ndarray, sigma: float, streams: Streams) -> np.ndarray:
    """Blur by a Gaussian of `sigma` pixels; beyond the edge lies paper."""
    return _blurred(images, sigma)


def glass_blur(images: np.ndarray, displacement: float, streams: Streams) -> np.ndarray:
    """Look through frosted glass: blur, swap near pixels, blur again (Hendrycks and Dietterich 2019).

    Twice, every pixel away from the edge swaps places, with chance 1/2, with one from `displacement` before to
    `displacement` - 1 behind it, in rows and in columns. Blurs of 0.7 pixels.
    """
    reach = int(displacement)
    places = np.arange(SIDE - reach, reach, -1)
    rows, columns = np.meshgrid(places, places, indexing="ij")
    here = np.tile((rows * SIDE + columns).ravel(), 2)
    shuffled = _blurred(images, 0.7)
    for generator, image in zip(streams.each(), shuffled, strict=True):
        chosen = generator.random(len(here), np.float32) < 0.5
        origin = here[chosen]
        down, right = generator.integers(-reach, reach, (2, len(origin)))
        # One swap may move what another has just moved, so they can't be done at once; on plain bytes they are quick.
        pixels = bytearray(image.tobytes())
        for a, b in zip(origin.tolist(), (origin + down * SIDE + right).tolist(), strict=True):
            pixels[a], pixels[b] = pixels[b], pixels[a]
        image.flat = np.frombuffer(pixels, np.uint8)
    return _blurred(shuffled, 0.7)


def motion_blur(images: np.ndarray, sigma: float, streams: Streams) -> np.ndarray:
    """Smear the ink to one side, within 45 degrees of the horizontal: half a Gaussian of `sigma`, up to 10 pixels."""
    angles = streams.uniform(-45, 45).round().astype(int).tolist()
    blurred = np.empty_like(images)
    for image, angle, target in zip(images, angles, blurred, strict=True):
        kernel, anchor = _trail(angle, sigma)
        cv2.filter2D(image, -1, kernel, dst=target, anchor=anchor, borderType=cv2.BORDER_CONSTANT)
    return blurred


@cache
def _trail(angle: int, sigma: float, length: int = 10) -> tuple[np.ndarray, tuple[int, int]]:
    """The kernel of a motion blur, float32, and its anchor (x, y): half a Gaussian along `angle` degrees."""
    distance = np.arange(length + 1)
    weights = np.exp(-(distance**2) / (2 * sigma**2))
    x, y = distance * np.cos(np.deg2rad(angle)), distance * np.sin(np.deg2rad(angle))
    y -= y.min()
    kernel = np.zeros((int(np.ceil(y.max())) + 1, int(np.ceil(x.max())) + 1), np.float32)
    for across, down, weight in zip(x, y, weights / weights.sum(), strict=True):
        left, top = int(across), int(down)
        for column, row in ((left, top), (left + 1, top), (left, top + 1), (left + 1, top + 1)):
            share = max(0, 1 - abs(across - column)) * max(0, 1 - abs(down - row))
            if share:
                kernel[row, column] += weight * share
    return kernel, (0, round(y[0]))


def shear(images: np.ndarray, factor: float, streams: Streams) -> np.ndarray:
    """Slant to the left or the right by `factor` pixels a row, about the centre."""
    matrices = _identity_matrices(len(images))
    matrices[:, 0, 1] = factor * streams.signs()
    return _warp(images, matrices)


def scale(images: np.ndarray, percent: float, streams: Streams) -> np.ndarray:
    """Shrink to `percent` of the size, about the centre."""
    return _warp(images, _identity_matrices(len(images)) * (100 / percent))


def rotate(images: np.ndarray, degrees: float, streams: Streams) -> np.ndarray:
    """Turn to the left or the right by `degrees`, about the centre."""
    angle = np.deg2rad(degrees) * streams.signs()
    matrices = np.empty((len(images), 2, 2), np.float32)
    matrices[:, 0, 0] = matrices[:, 1, 1] = np.cos(angle)
    matrices[:, 0, 1] = np.sin(angle)
    matrices[:, 1, 0] = -matrices[:, 0, 1]
    return _warp(images, matrices)


def translate(images: np.ndarray, pixels: float, streams: Streams) -> np.ndarray:
    """Shift by `pixels` to the left or right and by as much up or down."""
    return _warp(images, _identity_matrices(len(images)), pixels * streams.signs(2))


def brightness(images: np.ndarray, percent: float, streams: Streams) -> np.ndarray:
    """Add `percent` of the full scale to every pixel."""
    return _as_grey(images + np.float32(2.55 * percent))


def stripe(images: np.ndarray, columns: float, streams: Streams) -> np.ndarray:
    """Invert so many columns at the left edge and at the right edge."""
    striped = images.copy()
    for part in (slice(0, int(columns)), slice(SIDE - int(columns), SIDE)):
        striped[:, :, part] = 255 - striped[:, :, part]
    return striped


def fog(images: np.ndarray, weight: float, streams: Streams) -> np.ndarray:
    """Add a plasma fractal, 0 to 1, of `weight` times full ink, and bring the sum back into the image's range."""
    brightest = images.max(axis=(1, 2), keepdims=True).astype(np.float32)
    hazy = images + np.float32(255 * weight) * _plasma(streams)
    return _as_grey(hazy * (brightest / (brightest + np.float32(255 * weight))))


def _plasma(streams: Streams, side: int = 32, weaker: float = 1.4**2) -> np.ndarray:
    """Fields from 0 to 1 by midpoint displacement on a torus (Fournier et al. 1982), float32 (N, 28, 28).

    Each halving of the step makes the displacements `weaker` times smaller.
    """
    bump = streams.uniform(-1, 1, side, side)
    field = np.zeros_like(bump)
    step = side
    while step > 1:
        half = step // 2
        corners = field[:, ::step, ::step]
        right = np.roll(corners, -1, axis=2)
        below = np.roll(corners, -1, axis=1)
        middle = (corners + right + below + np.roll(right, -1, axis=1)) / 4 + bump[:, half::step, half::step]
        field[:, half::step, half::step] = middle
        across = (corners + right + middle + np.roll(middle, 1, axis=1)) / 4
        field[:, ::step, half::step] = across + bump[:, ::step, half::step]
        down = (corners + below + middle + np.roll(middle, 1, axis=2)) / 4
        field[:, half::step, ::step] = down + bump[:, half::step, ::step]
        bump /= weaker
        step = half
    field -= field.min(axis=(1, 2), keepdims=True)
    field /= field.max(axis=(1, 2), keepdims=True)
    return field[:, :SIDE, :SIDE]


def spatter(images: np.ndarray, percent: float, streams: Streams) -> np.ndarray:
    """Splash mud of a quarter of ink's darkness on the page: where smoothed noise is among its highest `percent`.

    The splashes are softened, and only their inner parts (above 0.8) stay.
    """
    from scipy.special import ndtri

    noise = streams.normal(SIDE, SIDE)
    threshold = np.float32(ndtri(1 - percent / 100) * _blurred_deviation(1.0))
    mud = np.empty_like(noise)
    for field, target in zip(noise, mud, strict=True):
        smooth = cv2.GaussianBlur(field, (0, 0), 1.0)
        cv2.GaussianBlur((smooth > threshold).astype(np.float32), (0, 0), 1.5, dst=target)
    mud[mud < 0.8] = 0
    return _as_grey(images * (1 - mud) + 63 * mud)


@cache
def _blurred_deviation(sigma: float) -> float:
    """Standard deviation of white noise of variance 1 after OpenCV's Gaussian blur of float images."""
    point = np.zeros((101, 101), np.float32)
    point[50, 50] = 1
    return float(np.sqrt(np.square(cv2.GaussianBlur(point, (0, 0), sigma)).sum()))


def dotted_line(images: np.ndarray, count: float, streams: Streams) -> np.ndarray:
    """Draw dashed lines across the page, two columns drawn and two left out."""
    ends = streams.uniform(0, SIDE - 1, max(SEVERITIES), 2)
    rows, columns = np.indices((SIDE, SIDE), np.float32)
    drawn = images.astype(np.float32)
    for left, right in ends[:, : int(count)].transpose(1, 2, 0)[..., None, None]:
        slope = (right - left) / (SIDE - 1)
        distance = np.abs(rows - left - slope * columns) / np.sqrt(1 + slope**2)
        drawn += 255 * np.clip(INK_OF_LINE - distance, 0, 1) * (columns % 4 >= 2)
    return _as_grey(drawn)


def zigzag(images: np.ndarray, count: float, streams: Streams) -> np.ndarray:
    """Draw zigzags across the page: amplitude 2 pixels, 4 pixels from one turn to the next."""
    first, last = 2, 25
    starts = streams.uniform(0, SIDE - 1, max(SEVERITIES))
    slopes = streams.uniform(-5, 5, max(SEVERITIES)) / (last - first)
    lines = np.stack([starts, slopes], axis=1)[..., : int(count)].transpose(2, 1, 0)[..., None, None]
    rows, columns = np.indices((SIDE, SIDE), np.float32)
    drawn = images.astype(np.float32)
    for start, slope in lines:
        length = np.sqrt(1 + slope**2)
        along = ((columns - first) + slope * (rows - start)) / length
        beside = ((rows - start) - slope * (columns - first)) / length
        # A triangle wave: 0 at its start, 2 after 2 pixels, -2 after 6.
        wave = np.abs((along + 6) % 8 - 4) - 2
        distance = np.abs(beside - wave) / np.sqrt(2)
        inside = (along >= 0) & (along <= (last - first) * length)
        drawn += 255 * np.clip(INK_OF_LINE - distance, 0, 1) * inside
    return _as_grey(drawn)


def canny_edges(images: np.ndarray, percent: float, streams: Streams) -> np.ndarray:
    """Fade the digit into its outline: `percent` of the way to Canny's edges (sigma 1, thresholds 0.1 and 0.2)."""
    precision = 4096
    share = np.float32(percent / 100)
    faded = np.empty(images.shape, np.float32)
    for image, target in zip(images, faded, strict=True):
        smooth = cv2.GaussianBlur(image.astype(np.float32), (0, 0), 1.0, borderType=cv2.BORDER_CONSTANT)
        across, down = (cv2.Sobel(smooth, cv2.CV_32F, *order, scale=precision / 255) for order in ((1, 0), (0, 1)))
        edges = cv2.Canny(
            across.astype(np.int16), down.astype(np.int16), 0.1 * precision, 0.2 * precision, L2gradient=True
        )
        np.add(image * (1 - share), edges * share, out=target)
    return _as_grey(faded)


def thicker(images: np.ndarray, pixels: float, streams: Streams) -> np.ndarray:
    """Widen the stroke by `pixels`: grey dilation by a disc of that diameter."""
    return _change_stroke(images, pixels, cv2.dilate)


def thinner(images: np.ndarray, pixels: float, streams: Streams) -> np.ndarray:
    """Make the stroke thinner by `pixels`: grey erosion by a disc of that diameter."""
    return _change_stroke(images, pixels, cv2.erode)


def _change_stroke(images: np.ndarray, pixels: float, operation: Callable) -> np.ndarray:
    large = SIDE * STROKE_ENLARGEMENT
    diameter = round(pixels * STROKE_ENLARGEMENT) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (diameter, diameter))
    changed = np.empty_like(images)
    for image, target in zip(images, changed, strict=True):
        enlarged = operation(cv2.resize(image, (large, large), interpolation=cv2.INTER_LINEAR), disc)
        cv2.resize(enlarged, (SIDE, SIDE), dst=target, interpolation=cv2.INTER_AREA)
    return changed


def uneven_light(images: np.ndarray, percent: float, streams: Streams) -> np.ndarray:
    """Let a shadow fall across the page, from full light at one side to `percent` less at the other."""
    angle = streams.uniform(0, 2 * np.pi)[:, None, None]
    rows, columns = (np.indices((SIDE, SIDE), np.float32) - CENTRE) / CENTRE
    across = columns * np.cos(angle) + rows * np.sin(angle)
    depth = 0.5 + 0.5 * across / (np.abs(np.cos(angle)) + np.abs(np.sin(angle)))
    return _darken(images, np.float32(percent / 100) * depth)


def ruled_paper(images: np.ndarray, percent: float, streams: Streams) -> np.ndarray:
    """Rule the paper: lines 6 to 9 pixels apart, `percent` as dark as ink."""
    return _darken(images, np.float32(percent / 100) * _ruling(streams, 6, 9)[:, :, None])


def squared_paper(images: np.ndarray, percent: float, streams: Streams) -> np.ndarray:
    """Print squares on the paper: lines 5 to 7 pixels apart both ways, `percent` as dark as ink."""
    spacing = streams.uniform(5, 7)
    down, across = (_ruling(streams, spacing, spacing) for _ in range(2))
    return _darken(images, np.float32(percent / 100) * np.maximum(down[:, :, None], across[:, None, :]))


def _ruling(streams: Streams, closest: float | np.ndarray, widest: float | np.ndarray) -> np.ndarray:
    """How much of a line each row has, float32 (N, 28): lines about a pixel thick, so far apart, anywhere."""
    spacing = (closest + (widest - closest) * streams.uniform(0, 1))[:, None]
    place = np.arange(SIDE, dtype=np.float32) + spacing * streams.uniform(0, 1)[:, None]
    from_line = np.abs((place + spacing / 2) % spacing - spacing / 2)
    return np.clip(1 - from_line, 0, 1)


def low_contrast(images: np.ndarray, percent: float, streams: Streams) -> np.ndarray:
    """Keep `percent` of the contrast: ink and paper both move towards middle grey."""
    return _as_grey((images - np.float32(127.5)) * np.float32(percent / 100) + np.float32(127.5))


def faint_ink(images: np.ndarray, percent: float, streams: Streams) -> np.ndarray:
    """Leave the ink `percent` of its darkness, as a hard pencil or a dry pen does."""
    return _as_grey(images * np.float32(percent / 100))


def jpeg(images: np.ndarray, quality: float, streams: Streams) -> np.ndarray:
    """Compress as JPEG and open again."""
    options = [cv2.IMWRITE_JPEG_QUALITY, int(quality)]
    opened = [cv2.imdecode(cv2.imencode(".jpg", image, options)[1], cv2.IMREAD_GRAYSCALE) for image in images]
    return np.stack(opened)


def downsampling(images: np.ndarray, pixels: float, streams: Streams) -> np.ndarray:
    """Shrink to so many pixels a side by averaging, and enlarge again smoothly."""
    coarse = np.empty_like(images)
    for image, target in zip(images, coarse, strict=True):
        small = cv2.resize(image, (int(pixels), int(pixels)), interpolation=cv2.INTER_AREA)
        cv2.resize(small, (SIDE, SIDE), dst=target, interpolation=cv2.INTER_LINEAR)
    return coarse


def elastic(images: np.ndarray, pixels: float, streams: Streams) -> np.ndarray:
    """Bend the page: displacements of `pixels` (root mean square along each axis), smooth over 4 pixels.

    Noise blurred by a Gaussian, as in Simard et al. (2003).
    """
    smoothness = 4.0
    displacement = streams.normal(SIDE, SIDE, 2)
    strength = np.float32(pixels / _blurred_deviation(smoothness))
    rows, columns = np.indices((SIDE, SIDE), np.float32)
    bent = np.empty_like(images)
    for image, noise, target in zip(images, displacement, bent, strict=True):
        smooth = cv2.GaussianBlur(noise, (0, 0), smoothness) * strength
        cv2.remap(image, columns + smooth[:, :, 0], rows + smooth[:, :, 1], cv2.INTER_LINEAR, dst=target)
    return bent


def occlusion(images: np.ndarray, pixels: float, streams: Streams) -> np.ndarray:
    """Cover a square of `pixels` a side, of any grey, somewhere on the middle of the page."""
    corner = (streams.uniform(8, 20, 2) - np.float32(pixels / 2)).round()[:, :, None]
    shade = streams.uniform(0, 255).round().astype(np.uint8)[:, None, None]
    place = np.arange(SIDE)
    covered = (place >= corner) & (place < corner + pixels)
    return np.where(covered[:, 0, :, None] & covered[:, 1, None, :], shade, images)


def _as_grey(values: np.ndarray) -> np.ndarray:
    """Round to uint8, clipped to 0 and 255; `values` is overwritten."""
    values += 0.5
    return np.clip(values, 0, 255, out=values).astype(np.uint8)


def _darken(images: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Take a `share` of the light from each pixel; what is ink already has none to lose."""
    return _as_grey(images + (255 - images) * share)


def _blurred(images: np.ndarray, sigma: float) -> np.ndarray:
    blurred = np.empty_like(images)
    for image, target in zip(images, blurred, strict=True):
        cv2.GaussianBlur(image, (0, 0), sigma, dst=target, borderType=cv2.BORDER_CONSTANT)
    return blurred


def _identity_matrices(count: int) -> np.ndarray:
    return np.tile(np.eye(2, dtype=np.float32), (count, 1, 1))


def _warp(images: np.ndarray, matrices: np.ndarray, shift: float | np.ndarray = 0) -> np.ndarray:
    """Resample bilinearly: `matrices` (N, 2, 2) lead from a pixel to its source, about the centre, after `shift` (N, 2)."""
    whole = np.empty((len(images), 2, 3), np.float32)
    whole[:, :, :2] = matrices
    whole[:, :, 2] = CENTRE - matrices.sum(axis=2) * CENTRE - shift
    warped = np.empty_like(images)
    for image, matrix, target in zip(images, whole, warped, strict=True):
        cv2.warpAffine(image, matrix, (SIDE, SIDE), dst=target, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    return warped


_ALL = (
    Corruption(name="gaussian_noise", kind="noise", damage=gaussian_noise, levels=(20, 40, 60, 80, 100),
               unit="σ, grey levels", seen_with={"noise"}),
    Corruption(name="shot_noise", kind="noise", damage=shot_noise, levels=(60, 25, 12, 5, 3),
               unit="photons in full ink", neutral=np.inf, mnist_c=5, related_to={"noise"}),
    Corruption(name="impulse_noise", kind="noise", damage=impulse_noise, levels=(3, 6, 9, 17, 27),
               unit="% of pixels", mnist_c=4, related_to={"noise"}),
    Corruption(name="gaussian_blur", kind="blur", damage=gaussian_blur, levels=(0.5, 1, 1.5, 2, 3),
               unit="σ, px", seen_with={"blur"}),
    Corruption(name="glass_blur", kind="blur", damage=glass_blur, levels=(1, 2, 3, 4, 5),
               unit="px displaced", mnist_c=1, related_to={"blur"}),
    Corruption(name="motion_blur", kind="blur", damage=motion_blur, levels=(1, 2, 3, 4, 5),
               unit="σ, px", mnist_c=3, related_to={"blur"}),
    Corruption(name="downsampling", kind="blur", damage=downsampling, levels=(20, 14, 10, 8, 6),
               unit="px a side", neutral=28, related_to={"blur"}),
    Corruption(name="jpeg", kind="blur", damage=jpeg, levels=(50, 30, 20, 10, 5),
               unit="quality", neutral=100, related_to={"blur", "noise"}),
    Corruption(name="rotate", kind="geometry", damage=rotate, levels=(10, 22.9, 35, 45, 60),
               unit="degrees", mnist_c=2, seen_with={"rotation"}),
    Corruption(name="shear", kind="geometry", damage=shear, levels=(0.2, 0.4, 0.6, 0.8, 1),
               unit="px a row", mnist_c=2, seen_with={"shear"}),
    Corruption(name="scale", kind="geometry", damage=scale, levels=(90, 80, 70, 60, 50),
               unit="% of the size", neutral=100, mnist_c=3, seen_with={"scale"}),
    Corruption(name="translate", kind="geometry", damage=translate, levels=(1, 2, 3, 4, 5),
               unit="px along both axes", mnist_c=3, seen_with={"shift"}),
    Corruption(name="elastic", kind="geometry", damage=elastic, levels=(0.5, 1, 1.5, 2, 2.5),
               unit="px displaced", seen_with={"elastic"}),
    Corruption(name="thicker", kind="stroke", damage=thicker, levels=(1, 2, 3, 4, 5),
               unit="px wider", seen_with={"stroke"}),
    Corruption(name="thinner", kind="stroke", damage=thinner, levels=(0.5, 1, 1.5, 2, 2.5),
               unit="px thinner", seen_with={"stroke"}),
    Corruption(name="canny_edges", kind="stroke", damage=canny_edges, levels=(20, 40, 60, 80, 100),
               unit="% faded into edges", mnist_c=5),
    Corruption(name="brightness", kind="light", damage=brightness, levels=(10, 20, 30, 40, 50),
               unit="% added", mnist_c=5, related_to={"contrast"}),
    Corruption(name="low_contrast", kind="light", damage=low_contrast, levels=(80, 60, 40, 20, 10),
               unit="% of the contrast left", neutral=100, seen_with={"contrast"}),
    Corruption(name="faint_ink", kind="light", damage=faint_ink, levels=(80, 60, 40, 20, 10),
               unit="% of the ink left", neutral=100, seen_with={"contrast"}),
    Corruption(name="uneven_light", kind="light", damage=uneven_light, levels=(20, 35, 50, 65, 80),
               unit="% darker at one side", related_to={"contrast"}),
    Corruption(name="fog", kind="light", damage=fog, levels=(0.5, 1, 1.5, 2, 3),
               unit="times full ink", mnist_c=5, related_to={"contrast"}),
    Corruption(name="ruled_paper", kind="marks", damage=ruled_paper, levels=(15, 30, 45, 60, 75),
               unit="% as dark as ink"),
    Corruption(name="squared_paper", kind="marks", damage=squared_paper, levels=(15, 30, 45, 60, 75),
               unit="% as dark as ink"),
    Corruption(name="dotted_line", kind="marks", damage=dotted_line, levels=(1, 2, 3, 4, 5),
               unit="lines", mnist_c=1),
    Corruption(name="zigzag", kind="marks", damage=zigzag, levels=(1, 2, 3, 4, 5),
               unit="lines", mnist_c=1),
    Corruption(name="stripe", kind="marks", damage=stripe, levels=(3, 5, 7, 9, 11),
               unit="columns a side", mnist_c=3),
    Corruption(name="spatter", kind="marks", damage=spatter, levels=(30, 40, 50, 60, 70),
               unit="% of the page", mnist_c=3),
    Corruption(name="occlusion", kind="marks", damage=occlusion, levels=(4, 6, 8, 10, 12),
               unit="px a side", seen_with={"cutout"}),
)  # fmt: skip
CORRUPTIONS = {corruption.name: corruption for corruption in _ALL}
