"""A random forest as a few arrays, which predicts with NumPy alone in a fraction of scikit-learn's memory.

Nodes are stored level by level: the roots of all trees, then the left and right child of the first inner node, of the
second, and so on. The order implies the children, so they aren't stored, and a file can't hold a loop.
"""

import io
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

PIXELS = 784
DTYPES = {"features": np.int16, "thresholds": np.float32, "leaves": np.uint32, "probabilities": np.float64}
# More than ten times what the shipped forest has. Without limits a hostile file could take hours, or all memory.
MOST_TREES = 1000
DEEPEST = 1000
LARGEST_BYTES = 32_000_000


@dataclass(frozen=True)
class Forest:
    """A forest, ready to predict.

    Attributes:
        trees: the number of trees; their roots are the first nodes.
        depth: the depth of the deepest tree.
        features: int16 (nodes,), the index of the pixel that a node tests; -1 for a leaf.
        thresholds: float32 (nodes,), the largest value that leads to the left; infinite for a leaf.
        children: int32 (nodes,), the index of the left child, which the right one follows; a leaf's own index.
        answers: uint32 (nodes,), the row of `probabilities` that a leaf answers with.
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
        """Probabilities, float64 (N, 10), for `ink`, float32 (N, 784) in [0, 1]; bit for bit those of scikit-learn."""
        rows = np.arange(len(ink))[:, None]
        nodes = np.tile(np.arange(self.trees, dtype=np.int32), (len(ink), 1))
        for _ in range(self.depth):
            nodes = self.children[nodes] + (ink[rows, self.features[nodes]] > self.thresholds[nodes])
        total = np.zeros((len(ink), 10))
        # Tree by tree, as scikit-learn does, so that sums are rounded alike and ties stay ties.
        for leaves in nodes.T:
            total += self.probabilities[self.answers[leaves]]
        return total / self.trees


def flatten(fitted) -> dict[str, np.ndarray]:
    """The arrays of a scikit-learn forest from 784 pixels to ten digits.

    Returns:
        `features`: int16 (nodes,), the index of the pixel that an inner node tests, -1 for a leaf; `thresholds`:
        float32 (inner nodes,), the largest value that leads to the left; `leaves`: uint32 (leaves,), each leaf's row
        of `probabilities`, float64 (rows, 10).

    Raises:
        ValueError: its nodes don't form trees.
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
    """Make a forest from the arrays that `flatten` returns.

    Raises:
        ValueError: they aren't such arrays.
    """
    for name, dtype in DTYPES.items():
        if arrays[name].dtype != dtype or arrays[name].ndim != 1 + (name == "probabilities"):
            raise ValueError(f"{name} is {arrays[name].dtype} {arrays[name].shape}")
    features, thresholds, leaves, probabilities = (arrays[name] for name in DTYPES)
    inner = features >= 0
    branching = int(inner.sum())
    trees = len(features) - 2 * branching
    # The number of children stored before those of a node.
    before = 2 * np.cumsum(inner, dtype=np.int32) - 2 * inner
    children = np.where(inner, trees + before, np.arange(len(features))).astype(np.int32)
    if trees < 1 or not np.all(children[inner] > np.flatnonzero(inner)):
        raise ValueError("its nodes don't form trees")
    if trees > MOST_TREES:
        raise ValueError(f"it has {trees} trees, more than {MOST_TREES}")
    if features.min() < -1 or features.max() >= PIXELS:
        raise ValueError(f"it tests pixels {features.min()} to {features.max()} of {PIXELS}")
    if len(thresholds) != branching or not np.all(np.isfinite(thresholds)):
        raise ValueError(f"expected {branching} finite thresholds")
    if len(leaves) != len(features) - branching or leaves.max() >= len(probabilities):
        raise ValueError(f"expected {len(features) - branching} leaves, each with its row of probabilities")
    with np.errstate(all="ignore"):
        # Written so that NaN fails.
        sums_to_one = np.abs(probabilities.sum(axis=1) - 1) < 1e-6
    if probabilities.shape[1] != 10 or not (np.all(probabilities >= 0) and np.all(sums_to_one)):
        raise ValueError("expected rows of ten probabilities that sum to 1")
    node_thresholds = np.full(len(features), np.inf, np.float32)
    node_thresholds[inner] = thresholds
    answers = np.zeros(len(features), np.uint32)
    answers[~inner] = leaves
    return Forest(trees, _depth(inner, trees), features, node_thresholds, children, answers, probabilities)


def load(path: Path) -> Forest:
    """Load a forest from an `.npz` file of the arrays that `flatten` returns.

    Raises:
        FileNotFoundError: there is none at `path`.
        ValueError: the file is damaged or holds something else.
    """
    try:
        return read(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} can't be opened as a forest: {error}") from error


def read(content: bytes) -> Forest:
    """Load a forest from the bytes of an `.npz` file.

    Raises:
        ValueError: the file is damaged or holds something else.
    """
    try:
        with warnings.catch_warnings(), np.load(io.BytesIO(content), allow_pickle=False) as archive:
            # NumPy and Python warn of odd text in the header of an array.
            warnings.simplefilter("ignore")
            size = sum(member.file_size for member in archive.zip.infolist())
            if size > LARGEST_BYTES:
                raise ValueError(f"it unpacks to {size:,} bytes, more than {LARGEST_BYTES:,}")
            return assemble({name: archive[name] for name in DTYPES})
    # NumPy and zipfile raise many kinds of exceptions for a damaged archive, a missing member or a wrong header.
    except Exception as error:
        raise ValueError(str(error).strip() or type(error).__name__) from error


def _rounded_down(thresholds: np.ndarray) -> np.ndarray:
    """The largest float32 not above each float64; any float32 pixel is on the same side of both."""
    # What is too large becomes infinite, and then the largest number.
    with np.errstate(over="ignore"):
        nearest = thresholds.astype(np.float32)
    return np.where(nearest > thresholds, np.nextafter(nearest, np.float32(-np.inf)), nearest)


def _depth(inner: np.ndarray, trees: int) -> int:
    """The depth of the deepest tree, of nodes stored level by level.

    Raises:
        ValueError: it is above 1000.
    """
    depth, start, end = 0, 0, trees
    while end < len(inner):
        start, end = end, end + 2 * int(inner[start:end].sum())
        depth += 1
        if depth > DEEPEST:
            raise ValueError(f"its trees are deeper than {DEEPEST} levels")
    return depth
