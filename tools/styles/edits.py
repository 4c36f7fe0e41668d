"""Edit MNIST's digits into how people elsewhere draw them, with the digit's own stroke width.

An edit takes a digit at `FINE` times its size, uint8 (height, width), its stroke's width in these pixels, and a
generator. It returns the edited digit, or None for a digit that it can't be made on, such as an already crossed 7.
"""

from collections.abc import Callable

import cv2
import numpy as np

from tools.styles.pen import draw_line, in_frame

Edit = Callable[[np.ndarray, float, np.random.Generator], np.ndarray | None]
FINE = 8
MARGIN = 8 * FINE
# The largest horizontal shift per unit of height of a 1 that gets a flag or a foot: more would make a 7 or a Z.
LARGEST_LEAN = 0.55


def edited(
    name: str, digits: np.ndarray, indices: np.ndarray, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Make one of `EDITS` on digits in random order, on each at most once.

    Args:
        digits: uint8 (N, 28, 28), all of the edit's class.
        indices: of the digits, (N,).

    Returns:
        At most `count` images, uint8 (n, 28, 28), and the indices of the digits that they were made from, (n,).
    """
    images, used = [], []
    for position in rng.permutation(len(digits)):
        if len(images) == count:
            break
        fine = cv2.resize(digits[position], None, fx=FINE, fy=FINE, interpolation=cv2.INTER_CUBIC)
        fine = _smoothed(np.pad(fine, MARGIN))
        distance = cv2.distanceTransform((fine > 127).astype(np.uint8), cv2.DIST_L2, 5)
        # In a long bar of width w, the mean distance to the nearest pixel of paper is w / 4 + 1 / 2.
        ink = EDITS[name](fine, 4 * float(distance[distance > 0].mean()) - 2, rng)
        if ink is not None:
            # Steepen the edges, which a digit that becomes smaller in its frame would show as blur.
            sharp = np.clip(3 * (_smoothed(ink).astype(np.float32) - 127.5) + 127.5, 0, 255)
            images.append(in_frame(sharp.astype(np.uint8)))
            used.append(indices[position])
    return np.array(images), np.array(used)


def _smoothed(ink: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(ink, (0, 0), FINE / 3)


def _bow(start: np.ndarray, end: np.ndarray, amount: float) -> np.ndarray:
    """Points from `start` to `end` along an arc that deviates by `amount` of the distance."""
    along = end - start
    t = np.linspace(0, 1, 9)[:, None]
    return start + t * along + 4 * t * (1 - t) * amount * np.array([along[1], -along[0]])


def _box(ink: np.ndarray) -> tuple[int, int, int, int]:
    """Left, top, right and bottom edges of the ink."""
    x, y, width, height = cv2.boundingRect((ink > 127).astype(np.uint8))
    return x, y, x + width, y + height


def _runs(line: np.ndarray) -> list[tuple[int, int]]:
    """Start and end of each run of ink along a line of pixels."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], (line > 127).astype(int), [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _only_run(line: np.ndarray, longest: float) -> tuple[int, int] | None:
    """The run of ink along a line of pixels, if there is one alone and it is no longer than that."""
    runs = _runs(line)
    return runs[0] if len(runs) == 1 and runs[0][1] - runs[0][0] <= longest else None


def _centres(ink: np.ndarray, rows: list[float], widest: float) -> np.ndarray | None:
    """The centre (x, y) of the only stroke in each row, float (N, 2); None unless all have one that narrow."""
    runs = [_only_run(ink[round(row)], widest) for row in rows]
    if None in runs:
        return None
    return np.array([[sum(run) / 2, row] for run, row in zip(runs, rows, strict=True) if run])


def _only_hole(ink: np.ndarray) -> tuple[int, int, int, int] | None:
    """Left, top, right and bottom edges of the paper that the ink encloses, if that is one area."""
    count, _, boxes, _ = cv2.connectedComponentsWithStats((ink <= 127).astype(np.uint8), connectivity=4)
    if count != 3:
        return None
    x, y, width, height = boxes[2, :4].tolist()
    return x, y, x + width, y + height


def _parts(ink: np.ndarray) -> int:
    return cv2.connectedComponents((ink > 127).astype(np.uint8))[0] - 1


def _of_one(flag: bool, foot: bool) -> Edit:
    def edit(ink: np.ndarray, width: float, rng: np.random.Generator) -> np.ndarray | None:
        left, top_row, right, bottom_row = _box(ink)
        rows = np.linspace(top_row + width / 2, bottom_row - width / 2, 9)
        stem = _centres(ink, rows.tolist(), 2 * width + (right - left) / 6)
        if stem is None:
            return None
        slope, offset = np.polyfit(rows, stem[:, 0], 1)
        is_straight = np.abs(slope * rows + offset - stem[:, 0]).max() <= 0.6 * width
        top, bottom = stem[0], stem[-1]
        if not is_straight or abs(top[0] - bottom[0]) > LARGEST_LEAN * (bottom[1] - top[1]):
            return None
        height = float(np.linalg.norm(bottom - top))
        if flag:
            # The longer, the steeper, because a long flat one would make a 7; in degrees from the vertical.
            length = rng.uniform(0.25, 0.8)
            lean = max(0.0, np.degrees(np.arctan2(top[0] - bottom[0], bottom[1] - top[1])))
            angle = np.radians(min(lean + rng.uniform(26, 60 - 22 * length), 66 - 16 * length))
            end = top + length * height * np.array([-np.sin(angle), np.cos(angle)])
            draw_line(ink, _bow(top, end, rng.normal(0, 0.06)), width * rng.uniform(0.8, 1.05))
        if foot:
            ends = _ends(bottom, rng.uniform(0.12, 0.33, 2) * height, rng.normal(0, 0.06) * height / 2)
            draw_line(ink, _bow(*ends, rng.normal(0, 0.03)), width * rng.uniform(0.8, 1.05))
        return ink

    return edit


def _ends(centre: np.ndarray, reach: np.ndarray, rise: float) -> tuple[np.ndarray, np.ndarray]:
    """The ends of a bar that reaches that far to the left and to the right, and rises by twice as much as that."""
    return centre + np.array([-reach[0], rise]), centre + np.array([reach[1], -rise])


def _stem_of_seven(ink: np.ndarray, width: float, share: float) -> np.ndarray | None:
    """The centre (x, y) of a 7's stem at that share of its height; None if it is crossed already."""
    _, top, _, bottom = _box(ink)
    rows = np.linspace(top + 0.4 * (bottom - top), bottom - width, 8).tolist()
    centres = _centres(ink, [*rows, top + share * (bottom - top)], 2.2 * width)
    return None if centres is None else centres[-1]


def _seven_crossed(ink: np.ndarray, width: float, rng: np.random.Generator) -> np.ndarray | None:
    centre = _stem_of_seven(ink, width, rng.uniform(0.48, 0.62))
    if centre is None:
        return None
    _, top, _, bottom = _box(ink)
    ends = _ends(centre, rng.uniform(0.12, 0.28, 2) * (bottom - top), rng.normal(0.03, 0.05) * (bottom - top))
    return draw_line(ink, _bow(*ends, rng.normal(0, 0.03)), width * rng.uniform(0.8, 1.05))


def _seven_serif(ink: np.ndarray, width: float, rng: np.random.Generator) -> np.ndarray | None:
    left, top, _, bottom = _box(ink)
    column = round(left + width / 2)
    run = _only_run(ink[:, column], 1.6 * width)
    # The left end must be that of the bar, without a serif of its own.
    if _stem_of_seven(ink, width, 0.55) is None or not run or run[0] > top + 0.35 * (bottom - top):
        return None
    start = np.array([column, sum(run) / 2])
    end = start + [rng.uniform(-0.1, 0.04), rng.uniform(0.12, 0.28)] * np.array(bottom - top)
    return draw_line(ink, _bow(start, end, rng.normal(0, 0.05)), width * rng.uniform(0.85, 1.05))


def _nine_hooked(ink: np.ndarray, width: float, rng: np.random.Generator) -> np.ndarray | None:
    """Turn the end of the stem to the left, half of the time with a curl."""
    _, top, _, bottom = _box(ink)
    height = bottom - top
    hole = _only_hole(ink)
    stem = _centres(ink, [bottom - width / 2, bottom - 0.12 * height, bottom - 0.25 * height], 1.8 * width)
    if stem is None or not hole or hole[3] > top + 0.62 * height:
        return None
    way = stem[0] - stem[2]
    # Clockwise on the picture, from downwards to the left and, in a curl, upwards.
    turn = np.radians(rng.uniform(170, 230) if rng.random() < 0.5 else rng.uniform(70, 150))
    headings = np.arctan2(way[1], way[0]) + np.linspace(0, turn, 14)[1:]
    step = rng.uniform(0.13, 0.2) * height * turn / len(headings)
    hook = stem[0] + step * np.cumsum(np.column_stack([np.cos(headings), np.sin(headings)]), axis=0)
    if hook[-1, 1] < top + 0.68 * height:
        return None
    draw_line(ink, np.concatenate([stem[:1], hook]), width * rng.uniform(0.85, 1.0))
    # A tail that nearly meets the stem would make an 8.
    near = cv2.dilate(ink, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * FINE - 1, 2 * FINE - 1)))
    return ink if _only_hole(near) else None


def _six_short(ink: np.ndarray, width: float, rng: np.random.Generator) -> np.ndarray | None:
    """Cut the stem off a little above the loop."""
    _, top, _, bottom = _box(ink)
    if not (hole := _only_hole(ink)):
        return None
    loop_top = hole[1] - width
    row = round(loop_top - rng.uniform(0.2, 0.4) * (bottom - loop_top))
    if row < top + width / 2 or not (run := _only_run(ink[row], np.inf)):
        return None
    ink[:row] = 0
    # A round end.
    end = [sum(run) / 2, row]
    return draw_line(ink, [end, end], min(run[1] - run[0], width))


def _zero_slashed(ink: np.ndarray, width: float, rng: np.random.Generator) -> np.ndarray | None:
    left, top, right, bottom = _box(ink)
    hole = _only_hole(ink)
    if not hole or min(hole[2] - hole[0], hole[3] - hole[1]) < 2.2 * width:
        return None
    centre = np.array([(left + right) / 2, (top + bottom) / 2]) + rng.normal(0, 0.02, 2) * (bottom - top)
    reach = rng.uniform(0.65, 1.25) * np.array([0.42, -0.38 * rng.uniform(0.75, 1.25)])
    reach *= [right - left, bottom - top]
    return draw_line(ink, _bow(centre - reach, centre + reach, rng.normal(0, 0.03)), width * rng.uniform(0.7, 1))


def _five_detached(ink: np.ndarray, width: float, rng: np.random.Generator) -> np.ndarray | None:
    """Cut the bar off near the corner and move it a little."""
    left, top, right, bottom = _box(ink)
    rows = round(top + 0.3 * (bottom - top))
    runs = {x: _only_run(ink[:rows, x], 1.7 * width) for x in range(left, right)}
    # The first column in which the upper part is only the bar.
    start = next((x for x, run in runs.items() if run and run[1] < rows - 2), right)
    if right - start < 2.5 * width:
        return None
    bar = np.zeros_like(ink)
    bar[:rows, start:] = ink[:rows, start:]
    move = np.array([rng.uniform(0.8, 1.5) * width, rng.uniform(-0.8, 0.2) * width])
    moved = cv2.warpAffine(bar, np.column_stack([np.eye(2), move]), bar.shape[::-1])
    joined = cv2.max(ink - bar, moved)
    return joined if _parts(bar) == 1 and _parts(joined) == 2 else None


EDITS: dict[str, Edit] = {
    "0-slashed": _zero_slashed,
    "1-flag": _of_one(flag=True, foot=False),
    "1-foot": _of_one(flag=False, foot=True),
    "1-flag-foot": _of_one(flag=True, foot=True),
    "5-detached": _five_detached,
    "6-short": _six_short,
    "7-crossed": _seven_crossed,
    "7-serif": _seven_serif,
    "9-hooked": _nine_hooked,
}
