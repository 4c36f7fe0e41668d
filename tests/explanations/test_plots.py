"""The pictures of an explanation, read back from their figures."""

from io import BytesIO

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from digits.explanations import plots as draw
from digits.reporting import thumbnails
from digits.reporting.figures import BLUE, INK, RED


def shown(figure: Figure) -> list[np.ndarray]:
    """The arrays on a figure, axis by axis."""
    return [np.asarray(image.get_array()) for axis in figure.axes for image in axis.images]


def titles(figure: Figure) -> list[str]:
    return [title for axis in figure.axes for loc in ("center", "left") if (title := axis.get_title(loc))]


def assert_outlined(axis: Axes, image: np.ndarray, corner: float) -> None:
    """A line runs around the digit; `corner` is where the first pixel's middle lies."""
    xs, ys = np.concatenate([path.vertices for each in axis.collections for path in each.get_paths()]).T
    rows, columns = np.nonzero(image > 127)
    expected = [columns.min(), columns.max(), rows.min(), rows.max()]
    np.testing.assert_allclose([xs.min(), xs.max(), ys.min(), ys.max()], np.add(expected, corner), atol=1.01)


def written(figure: Figure) -> bytes:
    figure.savefig(file := BytesIO())
    return file.getvalue()


@pytest.fixture
def three(some_digits) -> np.ndarray:
    return some_digits.images[:3]


def test_heat_maps_stand_beside_their_digits(three, rng):
    heats = {name: rng.random((3, 28, 28)) for name in ("first", "second")}
    figure = draw.heat_maps(three, heats, ["a", "b", "c"])
    expected = [
        each
        for row in range(3)
        for each in (three[row], *(thumbnails.overlay(three[row], maps[row]) for maps in heats.values()))
    ]
    assert len(figure.axes) == 9
    for array, wanted in zip(shown(figure), expected, strict=True):
        np.testing.assert_array_equal(array, wanted)
    assert titles(figure) == ["first", "second"]
    assert [axis.get_ylabel() for axis in figure.axes[::3]] == ["a", "b", "c"]


@pytest.mark.parametrize(("columns", "axes"), [(10, 3), (2, 4)])
def test_signed_maps_have_white_at_zero_and_the_digits_outline(columns, axes, three, rng):
    maps = rng.normal(size=(3, 28, 28)) * np.array([1, 1e-3, 0])[:, None, None]
    figure = draw.signed_maps(maps, ["a", "b", "c"], columns, outline=three)
    assert len(figure.axes) == axes
    np.testing.assert_array_equal(shown(figure), maps)
    assert titles(figure) == ["a", "b", "c"]
    for axis, each, image in zip(figure.axes, maps, three, strict=False):
        low, high = axis.images[0].get_clim()
        assert -low == high == (np.abs(each).max() or 1)
        assert_outlined(axis, image, 0)


def test_filters_and_feature_maps_are_shown_as_they_are(three, rng):
    weights = rng.normal(size=(20, 3, 3))
    figure = draw.filters(weights)
    assert len(figure.axes) == 32
    np.testing.assert_array_equal(shown(figure), weights)
    for axis, each in zip(figure.axes, weights, strict=False):
        assert axis.images[0].get_clim() == (-np.abs(each).max(), np.abs(each).max())

    maps = rng.random((3, 2, 5, 5))
    maps[:, 1] = 0
    figure = draw.feature_maps(three, maps)
    assert len(figure.axes) == 9
    for row in range(3):
        digit, first, second = (axis.images[0] for axis in figure.axes[3 * row : 3 * row + 3])
        np.testing.assert_array_equal(digit.get_array(), three[row])
        np.testing.assert_array_equal(first.get_array(), maps[row, 0])
        # A channel keeps its scale from digit to digit.
        assert first.get_clim() == (0, maps[:, 0].max())
        assert not np.asarray(second.get_array()).any()
    assert written(figure)


def test_ground_truth_has_every_truth_beside_every_method(three, rng):
    effects, shares, sums = (rng.normal(size=shape) for shape in ((3, 28, 28), (3, 4, 4), (3, 4, 4)))
    figure = draw.ground_truth(three, effects, shares, {"method": sums}, ["a", "b", "c"])
    assert len(figure.axes) == 12
    for row in range(3):
        expected = (three[row], effects[row], shares[row], sums[row])
        for array, wanted in zip(shown(figure)[4 * row : 4 * row + 4], expected, strict=True):
            np.testing.assert_array_equal(array, wanted)
    assert titles(figure)[-1] == "method"
    for axis in figure.axes[1:4]:
        low, high = axis.images[0].get_clim()
        assert -low == high
        # The map's first row is above, in a square of 28 pixels.
        assert list(axis.images[0].get_extent()) == [0, 28, 28, 0]
        assert axis.get_ylim() == (28, 0)


def test_outline_on_the_ground_truth_is_the_digits(three):
    nothing = np.zeros((3, 28, 28))
    figure = draw.ground_truth(three, nothing, nothing, {}, ["a", "b", "c"])
    for row, image in enumerate(three):
        assert_outlined(figure.axes[3 * row + 1], image, 0.5)


def test_counterfactuals_frame_new_ink_red_and_lost_ink_blue(three):
    changed = three.copy()
    inside = tuple(np.argwhere(three[0] == 255)[0])
    changed[0][inside] = 0
    changed[0, 2, 25] = 255
    figure = draw.counterfactuals(three[:2], changed[:2], ["a", "b"])
    np.testing.assert_array_equal(shown(figure), [three[0], three[1], changed[0], changed[1]])
    below = figure.axes[2:]
    frames = {(line.get_ydata()[0], line.get_xdata()[0]): line.get_markeredgecolor() for line in below[0].lines}
    assert frames == {(2, 25): RED, inside: BLUE}
    assert not below[1].lines
    assert titles(figure) == ["a", "b"]


def test_training_digits_with_another_label_have_it_in_red(some_digits):
    images, labels = some_digits.images[:2], np.array([4, 7])
    groups = {
        "nearest": (some_digits.images[2:6].reshape(2, 2, 28, 28), np.array([[4, 9], [7, 7]])),
        "harmful": (some_digits.images[6:8].reshape(2, 1, 28, 28), np.array([[1], [2]])),
    }
    figure = draw.training_digits(images, groups, labels, ["a", "b"])
    order = [0, 2, 3, 6, 1, 4, 5, 7]
    np.testing.assert_array_equal(shown(figure), some_digits.images[order])
    assert titles(figure) == ["a", "nearest: 4", "9", "harmful: 1", "b", "7", "7", "2"]
    colours = [axis.title.get_color() if axis.get_title() else axis._left_title.get_color() for axis in figure.axes
               if axis.images]  # fmt: skip
    assert colours == [INK, INK, RED, RED, INK, INK, INK, RED]


def test_plane_shows_every_digit_and_rings_the_misread(rng):
    places, labels = rng.normal(size=(60, 2)), rng.integers(0, 9, 60)
    wrong = rng.random(60) < 0.2
    figure = draw.plane(places, labels, wrong)
    (axis,) = figure.axes
    *classes, rings = axis.collections
    for digit, each in enumerate(classes):
        np.testing.assert_array_equal(np.asarray(each.get_offsets()).reshape(-1, 2), places[labels == digit])
    assert len({to_hex(each.get_facecolor()[0]) for each in classes[:9]}) == 9
    np.testing.assert_array_equal(rings.get_offsets(), places[wrong])
    assert to_hex(rings.get_edgecolor()[0]) == RED
    assert f"misread ({wrong.sum()})" in axis.get_legend().get_texts()[0].get_text()
    # There is no 9, and so no name for it.
    assert [text.get_text() for text in axis.texts] == [str(digit) for digit in range(9)]


def test_shift_is_in_percent_over_severities_and_amounts():
    rows = {"accuracy": np.linspace(1, 0.5, 6), "similarity of the map": np.linspace(1, 0.1, 6)}
    (axis,) = draw.shift([0, 10, 22.9, 35, 45, 60], "degrees", rows, "rotate").axes
    for line, (name, values) in zip(axis.lines, rows.items(), strict=True):
        assert line.get_label() == name
        np.testing.assert_array_equal(line.get_xdata(), range(6))
        np.testing.assert_allclose(line.get_ydata(), 100 * values)
    assert [label.get_text() for label in axis.get_xticklabels()][:3] == ["0\n0", "1\n10", "2\n22.9"]
    assert axis.get_title() == "rotate"
    assert "degrees" in axis.get_xlabel()


def test_similarity_below_zero_can_be_seen():
    rows = {"similarity of the map": np.linspace(1, -0.4, 6)}
    (axis,) = draw.shift(range(6), "times", rows, "rotate").axes
    assert axis.get_ylim()[0] < -40


def test_clean_and_corrupted_digits_stand_above_each_other(three, rng):
    images, heats = [three, three[::-1]], rng.random((2, 3, 28, 28))
    figure = draw.changed_maps(images, heats, ["a", "b", "c"])
    expected = [thumbnails.overlay(images[row][place], heats[row][place]) for row in range(2) for place in range(3)]
    np.testing.assert_array_equal(shown(figure), expected)
    assert titles(figure) == ["a", "b", "c"]


def test_feature_maps_below_zero_can_be_drawn(three):
    assert written(draw.feature_maps(three, -np.ones((3, 2, 5, 5))))
