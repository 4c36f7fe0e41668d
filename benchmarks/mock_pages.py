"""Pages with one digit each, as people photograph, scan or draw them: MNIST digits on paper of many kinds."""

from collections.abc import Callable

import cv2
import numpy as np

SIDE = 400


def make(kind: str, images: np.ndarray, seed: int) -> list[np.ndarray]:
    """Put each digit, uint8 (N, 28, 28), on a page of one of `KINDS`, uint8 (400, 400)."""
    rng = np.random.default_rng([seed, list(KINDS).index(kind)])
    return [KINDS[kind](image, rng) for image in images]


def _page(
    image: np.ndarray,
    rng: np.random.Generator,
    pen: tuple[float, float] = (0.03, 0.09),
    darkness: tuple[float, float] = (0.5, 0.85),
    paper: Callable[[np.random.Generator], np.ndarray] = lambda rng: np.ones((SIDE, SIDE)),
    shade: float = 0.2,
    noise: float = 4,
) -> np.ndarray:
    """Write a digit with a pen whose width is a share of the digit's size, and take a picture of the page."""
    ink = _ink(image, rng, rng.uniform(*pen))
    page = rng.uniform(170, 245) * paper(rng) * _falling_light(rng, shade)
    page = page * (1 - rng.uniform(*darkness) * ink)
    page = cv2.GaussianBlur(page, (0, 0), rng.uniform(0.5, 1.3)) + rng.normal(0, rng.uniform(0, noise), page.shape)
    return np.clip(page, 0, 255).astype(np.uint8)


def _ink(image: np.ndarray, rng: np.random.Generator, pen: float) -> np.ndarray:
    """A digit's middle line, drawn anew somewhere on a page, from 0 to 1."""
    from skimage.morphology import skeletonize

    large = cv2.resize(image.astype(np.float32), None, fx=10, fy=10, interpolation=cv2.INTER_CUBIC)
    solid = cv2.GaussianBlur(large, (0, 0), 2.5) > 110
    away = cv2.distanceTransform(1 - np.pad(skeletonize(solid), 30).astype(np.uint8), cv2.DIST_L2, 5)
    drawn = np.clip(pen * 200 / 2 - away + 0.5, 0, 1)
    x, y, width, height = cv2.boundingRect((drawn > 0.5).astype(np.uint8))
    scale = rng.uniform(0.35, 0.75) * SIDE / max(width, height)
    drawn = cv2.resize(drawn[y : y + height, x : x + width], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    ink = np.zeros((SIDE, SIDE))
    top, left = (int(rng.integers(SIDE - length + 1)) for length in drawn.shape)
    ink[top : top + drawn.shape[0], left : left + drawn.shape[1]] = drawn
    return ink


def _falling_light(rng: np.random.Generator, most: float) -> np.ndarray:
    return 1 - rng.uniform(0, most) * (0.5 + _slope(rng) / 1.5)


def _slope(rng: np.random.Generator) -> np.ndarray:
    """A plane that rises by about one over the page, in a random direction, 0 in the middle."""
    angle = rng.uniform(0, 2 * np.pi)
    rows, columns = np.indices((SIDE, SIDE)) / SIDE - 0.5
    return np.cos(angle) * columns + np.sin(angle) * rows


def _shadow(rng: np.random.Generator) -> np.ndarray:
    edge = (_slope(rng) - rng.uniform(-0.2, 0.2)) * rng.uniform(15, 60)
    return 1 - rng.uniform(0.2, 0.5) / (1 + np.exp(-edge))


def _lines(rng: np.random.Generator, darkness: tuple[float, float], squared: bool = False) -> np.ndarray:
    """Ruled or squared paper, a little turned and curved."""
    rows, columns = np.indices((SIDE, SIDE)) - SIDE / 2
    gap = rng.uniform(25, 60) if squared else rng.uniform(50, 120)
    turn, sag = np.tan(np.radians(rng.uniform(-4, 4))), rng.uniform(-5, 5)
    place = rng.uniform(0, gap)
    lines = (rows + turn * columns + sag * (2 * columns / SIDE) ** 2 + place) % gap < rng.integers(1, 4)
    if squared:
        lines = lines | ((columns - turn * rows + place) % gap < rng.integers(1, 4))
    return 1 - rng.uniform(*darkness) * cv2.GaussianBlur(lines.astype(np.float64), (0, 0), 0.7)


def _desk(rng: np.random.Generator) -> np.ndarray:
    """Paper that ends before the picture does, on one side."""
    beyond = _slope(rng) > rng.uniform(0.42, 0.5)
    return np.where(beyond, rng.uniform(0.1, 0.5), 1)


def _frame(rng: np.random.Generator) -> np.ndarray:
    frame = np.ones((SIDE, SIDE))
    width = int(rng.integers(3, 18))
    for side in rng.permutation(4)[: rng.integers(1, 5)]:
        np.rot90(frame, side)[:width] = rng.choice([0.0, 0.25])
    return frame


def _specks(rng: np.random.Generator) -> np.ndarray:
    paper = np.ones((SIDE, SIDE))
    for _ in range(rng.integers(3, 15)):
        cv2.circle(paper, rng.integers(SIDE, size=2).tolist(), int(rng.integers(1, 5)), rng.uniform(0.1, 0.6), -1)
    return paper


KINDS: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "plain paper": _page,
    "thin pen": lambda image, rng: _page(image, rng, pen=(0.008, 0.02)),
    "marker": lambda image, rng: _page(image, rng, pen=(0.15, 0.25)),
    "faint pencil": lambda image, rng: _page(image, rng, darkness=(0.12, 0.3), shade=0.6),
    "hard shadow": lambda image, rng: _page(image, rng, paper=_shadow, shade=0.5),
    "ruled": lambda image, rng: _page(image, rng, paper=lambda rng: _lines(rng, (0.15, 0.7))),
    "squared": lambda image, rng: _page(image, rng, paper=lambda rng: _lines(rng, (0.15, 0.6), squared=True)),
    "dark desk": lambda image, rng: _page(image, rng, paper=_desk),
    "black frame": lambda image, rng: _page(image, rng, paper=_frame),
    "specks": lambda image, rng: _page(image, rng, paper=_specks),
}
