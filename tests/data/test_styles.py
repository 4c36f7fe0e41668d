"""Digits in other styles: verified, drawn evenly, and those that are only to be read kept apart."""

from collections import defaultdict

import numpy as np
import pytest

from digits import data, paths
from digits.data import styles
from digits.data.mnist import VALIDATION_SIZE
from digits.data.sampling import even_probabilities


def test_another_or_no_file_says_how_to_restore_it(tmp_path, monkeypatch):
    monkeypatch.setattr(styles, "PATH", tmp_path / "styles.npz")
    with pytest.raises(FileNotFoundError, match=r"git checkout data/styles\.npz"):
        data.load_styles()
    assert data.STYLES_SHA256 in (paths.DATA / "README.md").read_text(encoding="utf-8")
    np.savez(styles.PATH, images=np.zeros((1, 28, 28), np.uint8))
    with pytest.raises(ValueError, match=r"expected SHA-256; `git checkout data/styles\.npz`"):
        data.load_styles()


def test_what_is_held_out_is_of_other_fonts_writers_and_digits():
    trained, held_out = data.load_styles(), data.load_styles(held_out=True)
    for part in (trained, held_out):
        assert part.digits.images.shape == (len(part.source), 28, 28)
        assert set(part.digits.labels) == set(range(10))
        # Ink on paper, not the other way round.
        assert part.digits.images.mean(axis=(1, 2)).max() < 128
    of_both = set(trained.source) & set(held_out.source)
    assert {source.split("/")[0] for source in of_both} == {"form", "edit"}
    images = [{image.tobytes() for image in part.digits.images} for part in (trained, held_out)]
    assert not images[0] & images[1]


def test_edits_to_train_on_are_of_no_validation_writers_digits():
    stored = data.style_arrays("source", "held_out", "labels", "mnist_index")
    edited = np.char.startswith(stored["source"], "edit/")
    np.testing.assert_array_equal(edited, stored["mnist_index"] >= 0)
    split = np.load(paths.DATA / "split_writers.npy")
    assert set(stored["mnist_index"][edited & ~stored["held_out"]]) <= set(split[:-VALIDATION_SIZE].tolist())
    assert set(stored["mnist_index"][edited & stored["held_out"]]) <= set(split[-VALIDATION_SIZE:].tolist())
    classes = data.load_mnist(names=["y_train"])["y_train"]
    np.testing.assert_array_equal(stored["labels"][edited], classes[stored["mnist_index"][edited]])


def test_classes_kinds_and_sources_are_drawn_evenly():
    """The oracle: to draw a class, then one of its kinds, then one of the kind's sources, then a digit."""
    given = data.load_styles()
    tree = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    for index, (label, source) in enumerate(zip(given.digits.labels, given.source, strict=True)):
        tree[label][source.split("/")[0]][source].append(index)
    for kinds in tree.values():
        for sources in kinds.values():
            for members in sources.values():
                expected = 1 / len(tree) / len(kinds) / len(sources) / len(members)
                np.testing.assert_allclose(given.probabilities[members], expected)
    drawn = given.draw(np.random.default_rng(0), 20_000)
    assert np.abs(np.bincount(drawn.labels) - 2000).max() < 5 * np.sqrt(2000)


def test_probabilities_of_groups_within_groups():
    coarse, fine = np.array(list("aaaab")), np.array(list("xxyzx"))
    np.testing.assert_allclose(even_probabilities(coarse, fine), [1 / 12, 1 / 12, 1 / 6, 1 / 6, 1 / 2])
    np.testing.assert_allclose(even_probabilities(coarse), [1 / 8] * 4 + [1 / 2])


def test_drawings_that_are_no_digits_have_families_and_parts():
    names = ("images", "family", "name", "source", "held_out")
    stored = data.style_arrays(*(f"nondigit_{name}" for name in names))
    assert len({len(array) for array in stored.values()}) == 1
    for family in ("letter", "letter-ambiguous", "symbol", "shape", "scribble", "tap"):
        of_family = stored["nondigit_held_out"][stored["nondigit_family"] == family]
        assert 0.1 < of_family.mean() < 0.5, family
