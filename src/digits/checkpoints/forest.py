"""A random forest as a few arrays: it recognises with NumPy alone, in a small part of scikit-learn's memory.

The nodes of all trees stand level by level: first the roots, then the children of the first inner node, left and right,
those of the second, and so on. So no children need be kept, and a file can hold no loop.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from digits import files

PIXELS = 784
DTYPES = {"features": np.int16, "thresholds": np.float32, "leaves": np.uint32, "probabilities": np.float64}
# Over ten times what the shipped forest has; a hostile file could otherwise take hours, or all memory.
MOST_TREES = 1000
DEEPEST = 1000
LARGEST_BYTES = 32_000_000


@dataclass(frozen=True)
class Forest:
    """A forest, ready to recognise.

    Attributes:
        trees: how many; their roots are the first nodes.
        depth: of the deepest tree.
        features: int16 (nodes,), the pixel that a node looks at; -1 in a leaf.
        thresholds: float32 (nodes,), up to which a pixel leads to the left; infinite in a leaf.
        children: int32 (nodes,), the left child, which the right one follows; the node itself for a leaf.
        answers: uint32 (nodes,), a leaf's row of `probabilities`.
        probabilities: float64 (rows, 10).
    """

    trees: int
    depth: int
    features: np.ndarray
    thresholds: np.ndarray
    children: np.ndarray
    answers: np.ndarray
    probabilities: np.ndarray

    def predict_proba(self, ink: np.ndarray) -> np.ndarray:
        """Probabilities of the ten digits, float64 (N, 10), of `ink`, float32 (N, 784), to the bit scikit-learn's."""
        rows = np.arange(len(ink))[:, None]
        nodes = np.tile(np.arange(self.trees, dtype=np.int32), (len(ink), 1))
        for _ in range(self.depth):
            nodes = self.children[nodes] + (ink[rows, self.features[nodes]] > self.thresholds[nodes])
        total = np.zeros((len(ink), 10))
        # Tree by tree, as scikit-learn adds, so that sums round alike and ties stay ties.
        for leaves in nodes.T:
            total += self.probabilities[self.answers[leaves]]
        return total / self.trees


def flatten(fitted) -> dict[str, np.ndarray]:
    """The arrays of a scikit-learn forest from 784 pixels to ten digits.

    Returns:
        `features`: int16 (nodes,), the pixel that an inner node looks at, -1 for a leaf; `thresholds`: float32 (inner
        nodes,), up to which that leads to the left; `leaves`: uint32 (leaves,), rows of `probabilities`, float64
        (rows, 10).

    Raises:
        ValueError: its trees are no trees.
    """
    trees = [estimator.tree_ for estimator in fitted.estimators_]
    sizes = [tree.node_count for tree in trees]
    roots = np.cumsum(sizes) - sizes
    left, right, features, thresholds, values = (
        np.concatenate([getattr(tree, name) for tree in trees])
        for name in ("children_left", "children_right", "feature", "threshold", "value")
    )
    inner = left >= 0
    children = np.stack([left, right], axis=1) + np.repeat(roots, sizes)[:, None]
    if not np.array_equal(np.sort(children[inner], axis=None), np.setdiff1d(np.arange(len(left)), roots)):
        raise ValueError("expected trees, got nodes that aren't the child of exactly one other")
    level, levels = roots, []
    while len(level):
        levels.append(level)
        level = children[level[inner[level]]].ravel()
    order = np.concatenate(levels)
    inner = inner[order]
    probabilities, leaves = np.unique(values[order[~inner], 0], axis=0, return_inverse=True)
    found = {
        "features": np.where(inner, features[order], -1),
        "thresholds": _rounded_down(thresholds[order[inner]]),
        "leaves": leaves,
        "probabilities": probabilities,
    }
    return {name: found[name].astype(dtype) for name, dtype in DTYPES.items()}


def assemble(arrays: Mapping[str, np.ndarray]) -> Forest:
    """Make a forest of the arrays that `flatten` gives.

    Raises:
        ValueError: they aren't such arrays.
    """
    for name, dtype in DTYPES.items():
        if arrays[name].dtype != dtype or arrays[name].ndim != 1 + (name == "probabilities"):
            raise ValueError(f"{name} are {arrays[name].dtype} {arrays[name].shape}")
    features, thresholds, leaves, probabilities = (arrays[name] for name in DTYPES)
    inner = features >= 0
    branching = int(inner.sum())
    trees = len(features) - 2 * branching
    # How many children stand before those of a node.
    before = 2 * np.cumsum(inner, dtype=np.int32) - 2 * inner
    children = np.where(inner, trees + before, np.arange(len(features))).astype(np.int32)
    if trees < 1 or not np.all(children[inner] > np.flatnonzero(inner)):
        raise ValueError("its nodes make no trees")
    if trees > MOST_TREES:
        raise ValueError(f"it has {trees} trees, over {MOST_TREES}")
    if features.min() < -1 or features.max() >= PIXELS:
        raise ValueError(f"it looks at pixels from {features.min()} to {features.max()} of {PIXELS}")
    if len(thresholds) != branching or not np.all(np.isfinite(thresholds)):
        raise ValueError(f"expected {branching} finite thresholds")
    if len(leaves) != len(features) - branching or leaves.max() >= len(probabilities):
        raise ValueError(f"expected {len(features) - branching} leaves with rows of probabilities")
    # Written so that no NaN passes.
    sums_to_one = np.abs(probabilities.sum(axis=1) - 1) < 1e-6
    if probabilities.shape[1] != 10 or not (np.all(probabilities >= 0) and np.all(sums_to_one)):
        raise ValueError("expected ten probabilities that sum to one in each row")
    everywhere = np.full(len(features), np.inf, np.float32)
    everywhere[inner] = thresholds
    answers = np.zeros(len(features), np.uint32)
    answers[~inner] = leaves
    return Forest(trees, _depth(inner, trees), features, everywhere, children, answers, probabilities)


def save(arrays: Mapping[str, np.ndarray], path: Path) -> None:
    """Save the arrays that `flatten` gives at `path` (`NAME.npz`), compressed, all of them or nothing."""
    with files.replacing(path) as temporary:
        np.savez_compressed(temporary, **arrays)


def load(path: Path) -> Forest:
    """Load a forest that `save` wrote.

    Raises:
        FileNotFoundError: there is none at `path`.
        ValueError: the file is damaged or holds something else.
    """
    with path.open("rb") as file:
        try:
            with np.load(file, allow_pickle=False) as archive:
                size = sum(member.file_size for member in archive.zip.infolist())
                if size > LARGEST_BYTES:
                    raise ValueError(f"it unpacks to {size:,} bytes, over {LARGEST_BYTES:,}")
                return assemble({name: archive[name] for name in DTYPES})
        # NumPy and zipfile report a broken archive, a missing member and a false header by exceptions of many kinds.
        except Exception as error:
            raise ValueError(f"{path} can't be opened as a forest: {error}") from error


def _rounded_down(thresholds: np.ndarray) -> np.ndarray:
    """The largest float32 that isn't above each float64: a float32 pixel is on the same side of both."""
    nearest = thresholds.astype(np.float32)
    return np.where(nearest > thresholds, np.nextafter(nearest, np.float32(-np.inf)), nearest)


def _depth(inner: np.ndarray, trees: int) -> int:
    """Levels below the roots, of nodes that stand level by level.

    Raises:
        ValueError: there are over 1000.
    """
    depth, start, end = 0, 0, trees
    while end < len(inner):
        start, end = end, end + 2 * int(inner[start:end].sum())
        depth += 1
        if depth > DEEPEST:
            raise ValueError(f"its trees are deeper than {DEEPEST} levels")
    return depth
