"""A forest in plain arrays: scikit-learn's answers to the bit, without scikit-learn, and nothing taken on trust."""

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from digits import paths
from digits.checkpoints import forest, recognizer, scikit_learn
from digits.images import to_input

SHIPPED = paths.MODELS / "mnist_random_forest.npz"


def flat_ink(images: np.ndarray) -> np.ndarray:
    return to_input(images).reshape(len(images), -1)


def assert_same_answers(fitted, ink: np.ndarray, folder) -> None:
    """The arrays of a scikit-learn forest, through their file, answer as it does."""
    np.savez_compressed(folder / "forest.npz", **forest.flatten(fitted))
    np.testing.assert_array_equal(forest.load(folder / "forest.npz").predict_proba(ink), fitted.predict_proba(ink))


@pytest.mark.slow
def test_shipped_export_answers_as_scikit_learn_does(some_digits, rng):
    fitted = scikit_learn.load_forest(SHIPPED.with_suffix(".skops"))
    shipped = forest.load(SHIPPED)
    # Explanations ask about ink between the 256 levels, too.
    for ink in (flat_ink(some_digits.images), rng.random((200, 784), dtype=np.float32)):
        np.testing.assert_array_equal(shipped.predict_proba(ink), fitted.predict_proba(ink))
    for name, array in forest.flatten(fitted).items():
        with np.load(SHIPPED) as stored:
            np.testing.assert_array_equal(stored[name], array)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"max_depth": 1},
        {"max_depth": 4, "max_leaf_nodes": 7},
        {"n_estimators": 1},
        {"bootstrap": False, "max_features": None, "max_depth": 6},
        {"class_weight": "balanced", "min_samples_leaf": 3},
        # Each tree is its root.
        {"min_samples_leaf": 1000, "bootstrap": False},
    ],
)
def test_any_forest_keeps_its_answers(options, some_digits, tmp_path):
    ink = flat_ink(some_digits.images)
    fitted = RandomForestClassifier(**({"n_estimators": 7, "random_state": 0} | options)).fit(ink, some_digits.labels)
    assert_same_answers(fitted, ink, tmp_path)


def test_unbalanced_classes_keep_their_answers(some_digits, tmp_path, rng):
    rare = np.concatenate([np.flatnonzero(some_digits.labels == digit)[:1] for digit in range(9)])
    chosen = np.concatenate([rare, np.flatnonzero(some_digits.labels == 9)])
    ink, labels = flat_ink(some_digits.images[chosen]), some_digits.labels[chosen]
    # So few of most digits would be missing in a bootstrapped sample.
    fitted = RandomForestClassifier(5, bootstrap=False, random_state=0).fit(ink, labels)
    assert_same_answers(fitted, np.concatenate([ink, rng.random((100, 784), dtype=np.float32)]), tmp_path)


def test_ink_right_at_a_threshold_goes_the_same_way(tmp_path, rng):
    ink = rng.random((300, 784), dtype=np.float32)
    fitted = RandomForestClassifier(100, max_depth=1, random_state=0).fit(ink, np.arange(300) % 10)
    stumps = [estimator.tree_ for estimator in fitted.estimators_]
    pixels, thresholds = (np.array([getattr(tree, name)[0] for tree in stumps]) for name in ("feature", "threshold"))
    nearest = thresholds.astype(np.float32)
    # Some are rounded down, some up.
    assert {-1, 1} <= set(np.sign(nearest - thresholds))
    for values in (np.nextafter(nearest, np.float32(0)), nearest, np.nextafter(nearest, np.float32(1))):
        ink[np.arange(100), pixels] = values
        assert_same_answers(fitted, ink[:100], tmp_path)


def test_recognising_imports_neither_scikit_learn_nor_skops():
    code = (
        "import sys, numpy as np; from digits.checkpoints import recognizer\n"
        "recognizer.load('mnist_random_forest').predict_proba(np.zeros((1, 28, 28), np.uint8))\n"
        "assert not {'sklearn', 'skops', 'scipy', 'joblib', 'onnxruntime'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=paths.ROOT / "src", check=True)


def test_every_way_to_open_a_forest_gives_the_same_answers(some_digits, tmp_path):
    images = some_digits.images[:300]
    fitted = RandomForestClassifier(5, random_state=0).fit(flat_ink(some_digits.images), some_digits.labels)
    scikit_learn.save_forest(fitted, tmp_path / "mine.skops", images)
    expected = fitted.predict_proba(flat_ink(images)).astype(np.float32)
    for name in ("mine.skops", "mine.npz"):
        recognise = recognizer.load(tmp_path / name)
        np.testing.assert_array_equal(recognise.predict_proba(images), expected)
        assert recognise.card == {}
    assert recognise.predict_proba(images[:0]).shape == (0, 10)


def test_export_that_differs_is_not_kept(some_digits, tmp_path, monkeypatch):
    fitted = RandomForestClassifier(5, random_state=0).fit(flat_ink(some_digits.images), some_digits.labels)
    arrays = forest.flatten(fitted)
    arrays["probabilities"] = arrays["probabilities"][:, ::-1]
    monkeypatch.setattr(forest, "flatten", lambda fitted: arrays)
    with pytest.raises(ValueError, match=r"the export of the forest differs by .*, more than 1e-07"):
        scikit_learn.save_forest(fitted, tmp_path / "mine.skops", some_digits.images[:10])
    assert not (tmp_path / "mine.npz").exists()


def stump(**changes) -> dict[str, np.ndarray]:
    """One node with two leaves, as `forest.flatten` gives them."""
    arrays = {"features": [5, -1, -1], "thresholds": [0.5], "leaves": [0, 1], "probabilities": np.eye(10)[:2]} | changes
    return {name: np.asarray(arrays[name], dtype) for name, dtype in forest.DTYPES.items()}


def chain(levels: int) -> dict[str, np.ndarray]:
    """One tree of which every left child branches again."""
    features = [0, *[0, -1] * (levels - 1), -1, -1]
    return stump(features=features, thresholds=np.full(levels, 0.5), leaves=np.zeros(levels + 1))


def test_stump_and_chain_answer_as_counted_by_hand(tmp_path):
    ink = np.zeros((2, 784), np.float32)
    ink[1, 5] = 0.6
    np.testing.assert_array_equal(forest.assemble(stump()).predict_proba(ink), np.eye(10)[:2])
    deep = chain(forest.DEEPEST) | {"leaves": np.eye(1, forest.DEEPEST + 1, forest.DEEPEST - 1, np.uint32)[0]}
    found = forest.assemble(deep)
    assert found.depth == forest.DEEPEST
    np.testing.assert_array_equal(found.predict_proba(ink), np.eye(10)[[1, 1]])


@pytest.mark.parametrize(
    ("arrays", "complaint"),
    [
        (stump(features=[]), "form trees"),
        (stump(features=[5]), "form trees"),
        # The second root's children would be the roots.
        (stump(features=[-1, 5, -1]), "form trees"),
        (stump(features=[784, -1, -1]), "pixels -1 to 784 of 784"),
        (stump(features=[5, -2, -1]), "pixels -2 to 5"),
        (stump(thresholds=[np.nan]), "1 finite thresholds"),
        (stump(thresholds=[np.inf]), "1 finite thresholds"),
        (stump(thresholds=[0.5, 0.5]), "1 finite thresholds"),
        (stump(leaves=[0, 2]), "2 leaves"),
        (stump(leaves=[0]), "2 leaves"),
        (stump(probabilities=np.empty((0, 10))), "2 leaves"),
        (stump(probabilities=np.eye(9)[:2]), "ten probabilities"),
        (stump(probabilities=np.eye(10)[:2] * np.nan), "ten probabilities"),
        (stump(probabilities=[[np.inf, -np.inf, *[0] * 8]] * 2), "ten probabilities"),
        (stump(probabilities=np.eye(10)[:2] * 2), "ten probabilities"),
        (stump(probabilities=[[2, -1, *[0] * 8]] * 2), "ten probabilities"),
        (stump() | {"features": np.array([5.0, -1, -1])}, "features is float64"),
        (stump() | {"leaves": np.zeros((2, 1), np.uint32)}, r"leaves is uint32 \(2, 1\)"),
        (stump() | {"thresholds": np.array([None])}, "allow_pickle=False"),
        (stump(features=np.full(1001, -1), thresholds=[], leaves=np.zeros(1001)), "1001 trees, more than 1000"),
        (chain(forest.DEEPEST + 1), "deeper than 1000"),
        (stump(leaves=np.zeros(forest.LARGEST_BYTES // 4)), "more than 32,000,000"),
        ({"x_train": np.zeros(3)}, "features is not a file"),
    ],
)
def test_hostile_arrays_are_refused(arrays, complaint, tmp_path):
    path = tmp_path / "hostile.npz"
    np.savez_compressed(path, **arrays)
    with pytest.raises(ValueError, match=rf"hostile.npz can't be opened as a forest: .*{complaint}"):
        forest.load(path)


def test_what_is_not_refused_answers_with_probabilities(rng):
    """Nodes drawn at random: nothing is read out of bounds, and nothing goes round in circles."""
    accepted = 0
    for _ in range(2000):
        features = rng.integers(-1, 2, rng.integers(1, 9))
        branching = np.sum(features >= 0)
        arrays = stump(features=features, thresholds=np.zeros(branching), leaves=np.zeros(len(features) - branching))
        try:
            found = forest.assemble(arrays)
        except ValueError:
            continue
        accepted += 1
        np.testing.assert_array_equal(found.predict_proba(rng.random((3, 784), dtype=np.float32)), np.eye(10)[[0] * 3])
    assert accepted > 100


def test_damaged_files_are_refused_or_harmless(tmp_path, rng):
    np.savez_compressed(tmp_path / "whole.npz", **stump())
    whole = (tmp_path / "whole.npz").read_bytes()
    path = tmp_path / "damaged.npz"
    torn = [b"", b"PK\x03\x04 broken", b"no archive", whole[: len(whole) // 2], whole[:-1]]
    for content in torn:
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"damaged.npz can't be opened as a forest"):
            forest.load(path)
    expected = forest.assemble(stump())
    for place in rng.integers(0, len(whole), 300):
        content = bytearray(whole)
        content[place] ^= 1 << rng.integers(8)
        path.write_bytes(content)
        try:
            found = forest.load(path)
        except ValueError:
            continue
        # Dates and the like may differ.
        np.testing.assert_array_equal(found.children, expected.children)
        np.testing.assert_array_equal(found.thresholds, expected.thresholds)


def test_threshold_beyond_single_precision_is_never_passed():
    tree = SimpleNamespace(
        node_count=3,
        children_left=np.array([1, -1, -1]),
        children_right=np.array([2, -1, -1]),
        feature=np.array([5, -2, -2]),
        threshold=np.array([1e300, -2, -2]),
        value=np.eye(10)[:3, None],
    )
    found = forest.assemble(forest.flatten(SimpleNamespace(estimators_=[SimpleNamespace(tree_=tree)])))
    np.testing.assert_array_equal(found.predict_proba(np.ones((1, 784), np.float32)), np.eye(10)[[1]])


def test_trees_that_go_round_in_circles_are_refused():
    tree = SimpleNamespace(
        node_count=3,
        children_left=np.array([1, 0, -1]),
        children_right=np.array([2, 2, -1]),
        feature=np.array([5, 5, -2]),
        threshold=np.array([0.5, 0.5, -2]),
        value=np.eye(10)[:3, None],
    )
    with pytest.raises(ValueError, match="child of exactly one other"):
        forest.flatten(SimpleNamespace(estimators_=[SimpleNamespace(tree_=tree)]))
