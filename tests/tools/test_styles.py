"""Styles: the shipped file is what the code draws, an edit changes what it should, and fonts come from npm."""

from itertools import islice

import cv2
import numpy as np
import pytest

from digits import data
from tools.styles import __main__ as build
from tools.styles import edits, fonts, forms, pen

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def stored() -> dict[str, np.ndarray]:
    return data.style_arrays("images", "labels", "source", "held_out", "mnist_index")


@pytest.mark.parametrize("draw", [build.written_digits, build.form_digits, build.edited_digits])
def test_the_shipped_digits_are_what_the_code_draws(draw, stored):
    (part,) = islice(draw(), 1)
    of_part = (stored["source"] == part.source) & (stored["held_out"] == part.held_out)
    np.testing.assert_array_equal(stored["labels"][of_part], np.broadcast_to(part.labels, len(part.images)))
    np.testing.assert_array_equal(stored["mnist_index"][of_part], np.broadcast_to(part.mnist_index, len(part.images)))
    # Another processor may round some pixels otherwise.
    assert np.abs(stored["images"][of_part].astype(int) - part.images).mean() < 0.5


def test_fonts_are_fetched_with_npm_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OSError, match=r"expected npm"):
        fonts.fetch("kalam")
    failing = tmp_path / "npm"
    failing.write_text("#!/bin/sh\necho offline >&2\nexit 1\n")
    failing.chmod(0o755)
    with pytest.raises(OSError, match=r"npm can't fetch @fontsource/kalam: offline"):
        fonts.fetch("kalam")
    assert not list((tmp_path / "digit-workbench" / "fonts").iterdir())


def holes(image: np.ndarray) -> int:
    large = cv2.resize(image, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    return cv2.connectedComponents((large < 100).astype(np.uint8), connectivity=4)[0] - 2


def test_edits_change_the_topology_of_digits(splits, rng):
    """Of most of them: a slash cuts a 0's hole in two, a bar is detached, and the others leave the holes."""
    for name in edits.EDITS:
        of_class = np.flatnonzero(splits.validation.labels == int(name[0]))
        originals = splits.validation.images[of_class]
        images, used = edits.edited(name, originals, of_class, 30, rng)
        assert len(images) == len(set(used)) == 30, name
        before = np.array([holes(image) for image in splits.validation.images[used]])
        after = np.array([holes(image) for image in images])
        assert np.mean(after == before + (name == "0-slashed")) > 0.7, name
        parts = [cv2.connectedComponents((image > 100).astype(np.uint8))[0] - 1 for image in images]
        assert np.mean(np.array(parts) == 1 + (name == "5-detached")) > 0.7, name


def test_curves_pass_through_their_points_and_every_form_can_be_drawn(rng):
    points = [(0, 0), (1, 2), (3, 1), (4, 4)]
    smooth = pen.curve(points)
    for point in points:
        assert np.hypot(*(smooth - point).T).min() < 1e-9
    drawings = forms.read_forms()
    assert {int(name[0]) for name in drawings if name[0].isdigit()} == set(range(10))
    for name, drawing in drawings.items():
        (image,) = pen.images(drawing, 1, rng)
        assert image.max() == 255, name
