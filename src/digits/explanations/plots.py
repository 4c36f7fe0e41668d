"""Figures of explanations: arrays in, a matplotlib `Figure` out, never a file."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from digits.reporting.figures import BLUE, GREY, INK, PALETTE, RED, legend_below, series, shortened, single, tidy
from digits.reporting.thumbnails import overlay

# For ten digits or ten methods.
TEN_COLOURS = (*PALETTE, "#9467bd", "#17becf", "#8c564b")


def heat_maps(images: np.ndarray, heats: Mapping[str, np.ndarray], titles: Sequence[str]) -> Figure:
    """A row per digit, uint8 (N, 28, 28): the digit, then its map by each method, (N, 28, 28) in [0, 1]."""
    figure, axes = _grid(len(images), len(heats) + 1, 1.05)
    for row, image in enumerate(images):
        axes[row, 0].imshow(image, cmap="gray_r", vmin=0, vmax=255)
        axes[row, 0].set_ylabel(shortened(titles[row]), rotation=0, ha="right", va="center", fontsize=9, color=INK)
        for column, (name, maps) in enumerate(heats.items(), start=1):
            axes[row, column].imshow(overlay(image, maps[row]))
            if row == 0:
                axes[row, column].set_title(name, fontsize=8, color=INK)
    return figure


def signed_maps(
    maps: np.ndarray, titles: Sequence[str], columns: int = 10, outline: np.ndarray | None = None
) -> Figure:
    """Signed maps, (N, h, w): red above 0, blue below, each on its own scale, with outlines of digits if given."""
    rows = -(-len(maps) // columns)
    figure, axes = _grid(rows, min(columns, len(maps)), 1.15)
    for index, (axis, each) in enumerate(zip(axes.flat, maps, strict=False)):
        limit = np.abs(each).max() or 1
        axis.imshow(each, cmap="RdBu_r", vmin=-limit, vmax=limit)
        axis.set_title(titles[index], fontsize=8, color=INK)
        if outline is not None:
            axis.contour(outline[index], levels=[127], colors=INK, linewidths=0.6)
    return figure


def filters(weights: np.ndarray, columns: int = 16) -> Figure:
    """Weights as images, (N, h, w), each on its own scale: red above 0, blue below."""
    rows = -(-len(weights) // columns)
    figure, axes = _grid(rows, min(columns, len(weights)), 0.6)
    for axis, each in zip(axes.flat, weights, strict=False):
        limit = np.abs(each).max() or 1
        axis.imshow(each, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
    return figure


def feature_maps(images: np.ndarray, maps: np.ndarray) -> Figure:
    """A row per digit: the digit, then its feature maps, (N, maps, h, w), each channel on its own scale."""
    figure, axes = _grid(len(images), maps.shape[1] + 1, 0.8)
    low, high = np.minimum(maps.min(axis=(0, 2, 3)), 0), maps.max(axis=(0, 2, 3))
    for row, (image, channels) in enumerate(zip(images, maps, strict=True)):
        axes[row, 0].imshow(image, cmap="gray_r", vmin=0, vmax=255)
        for axis, channel, *limits in zip(axes[row, 1:], channels, low, high, strict=True):
            axis.imshow(channel, cmap="magma", vmin=limits[0], vmax=limits[1])
    return figure


def ground_truth(
    images: np.ndarray,
    effects: np.ndarray,
    shares: np.ndarray,
    patches: Mapping[str, np.ndarray],
    titles: Sequence[str],
) -> Figure:
    """A row per digit: the digit, the effect of each pixel, exact Shapley values, and patch sums by method."""
    figure, axes = _grid(len(images), 3 + len(patches), 1.15)
    centres = np.arange(28) + 0.5
    for row, image in enumerate(images):
        axes[row, 0].imshow(image, cmap="gray_r", vmin=0, vmax=255)
        axes[row, 0].set_ylabel(shortened(titles[row]), rotation=0, ha="right", va="center", fontsize=9, color=INK)
        columns = {"one pixel flipped": effects, "exact Shapley": shares} | dict(patches)
        for axis, (name, maps) in zip(axes[row, 1:], columns.items(), strict=True):
            limit = np.abs(maps[row]).max() or 1
            axis.imshow(maps[row], cmap="RdBu_r", vmin=-limit, vmax=limit, extent=(0, 28, 28, 0))
            axis.contour(centres, centres, image, levels=[127], colors=INK, linewidths=0.6)
            if row == 0:
                axis.set_title(name, fontsize=8, color=INK)
    return figure


def counterfactuals(images: np.ndarray, changed: np.ndarray, titles: Sequence[str]) -> Figure:
    """Digits above what they become; red frames mark added ink, blue ones removed ink."""
    figure, axes = _grid(2, len(images), 1.25)
    for column, (before, after) in enumerate(zip(images, changed, strict=True)):
        for axis, image in zip(axes[:, column], (before, after), strict=True):
            axis.imshow(image, cmap="gray_r", vmin=0, vmax=255)
        for y, x in np.argwhere(before != after):
            colour = RED if after[y, x] else BLUE
            axes[1, column].plot(x, y, marker="s", markersize=3.2, color="none", markeredgecolor=colour)
        axes[0, column].set_title(titles[column], fontsize=9, color=INK)
    return figure


def training_digits(
    images: np.ndarray, groups: Mapping[str, tuple[np.ndarray, np.ndarray]], labels: np.ndarray, titles: Sequence[str]
) -> Figure:
    """A row per digit: the digit, then groups of training digits, images (N, k, 28, 28) and labels (N, k).

    Labels other than the digit's own are red.
    """
    widths = [1] + [count for each, _ in groups.values() for count in (0.35, *[1] * each.shape[1])]
    figure = Figure((0.72 * sum(widths) + 0.6, 0.92 * len(images) + 0.4), layout="constrained")
    axes = figure.subplots(len(images), len(widths), width_ratios=widths, squeeze=False)
    for axis in axes.flat:
        _bare(axis)
    for row, image in enumerate(images):
        axes[row, 0].imshow(image, cmap="gray_r", vmin=0, vmax=255)
        axes[row, 0].set_title(titles[row], fontsize=8, color=INK)
        column = 1
        for name, (members, member_labels) in groups.items():
            for rank, (each, label) in enumerate(zip(members[row], member_labels[row], strict=True)):
                column += 1
                axes[row, column].imshow(each, cmap="gray_r", vmin=0, vmax=255)
                colour = INK if label == labels[row] else RED
                heading = f"{name}: {label}" if row == rank == 0 else str(label)
                axes[row, column].set_title(heading, fontsize=8, color=colour, loc="left")
            column += 1
    return figure


def plane(points: np.ndarray, labels: np.ndarray, misread: np.ndarray) -> Figure:
    """Digits as points, (N, 2), coloured by label, the misread ones, bool (N,), with rings."""
    figure = Figure((8.4, 7), layout="constrained")
    axis = figure.subplots()
    for digit in range(10):
        members = points[labels == digit]
        axis.scatter(*members.T, s=7, color=TEN_COLOURS[digit], linewidths=0, alpha=0.7)
        if len(members):
            x, y = np.median(members, axis=0)
            axis.text(x, y, str(digit), fontsize=16, weight="bold", ha="center", va="center", color=INK,
                      bbox={"boxstyle": "circle,pad=0.2", "color": "white", "alpha": 0.8})  # fmt: skip
    axis.scatter(
        *points[misread].T, s=46, facecolors="none", edgecolors=RED, linewidths=1.2, label=f"misread ({misread.sum()})"
    )
    axis.legend(frameon=False, loc="upper right")
    axis.set_axis_off()
    return figure


def shift(levels: Sequence[float], unit: str, rows: Mapping[str, np.ndarray], title: str) -> Figure:
    """Mean accuracy, confidence and similarity of the maps by severity, labelled with the amount of corruption."""
    figure, axis = single(4.6, 3)
    styles = {"accuracy": (INK, "-"), "confidence": (GREY, "--"), "similarity of the map": (RED, "-")}
    for name, values in rows.items():
        colour, line = styles[name]
        axis.plot(range(len(values)), 100 * values, line, color=colour, marker="o", markersize=4, label=name)
    lowest = 100 * min(np.min(values) for values in rows.values())
    axis.set(ylim=(min(0, 1.05 * lowest), 103), xlabel=f"severity ({unit})", title=title)
    axis.set_xticks(
        range(len(levels)), [f"{severity}\n{level:g}".replace("inf", "∞") for severity, level in enumerate(levels)]
    )
    axis.set_ylabel("%")
    axis.legend(frameon=False, loc="lower left", fontsize=8)
    return figure


def changed_maps(images: Sequence[np.ndarray], heats: Sequence[np.ndarray], titles: Sequence[str]) -> Figure:
    """Clean digits with their heat maps above the corrupted ones: two arrays (N, 28, 28) of each."""
    figure, axes = _grid(2, len(titles), 1.25)
    for row, images_of_row, heats_of_row in zip(axes, images, heats, strict=True):
        for axis, image, heat in zip(row, images_of_row, heats_of_row, strict=True):
            axis.imshow(overlay(image, heat))
    for axis, title in zip(axes[0], titles, strict=True):
        axis.set_title(title, fontsize=8, color=INK)
    return figure


def faithfulness(estimates: Mapping[str, Mapping[str, Mapping[str, float]]], baselines: Sequence[str]) -> Figure:
    """By method, each model's faithfulness with its interval; the best method on top, baselines in grey."""
    means = {name: float(np.mean([each["value"] for each in models.values()])) for name, models in estimates.items()}
    names = sorted(means, key=lambda name: means[name])
    models = list(next(iter(estimates.values())))
    figure, axis = single(7.5, 0.38 * len(names) + 1.4)
    for row, name in enumerate(names):
        for index, model in enumerate(models):
            each = estimates[name][model]
            height = row + 0.16 * ((len(models) - 1) / 2 - index) * min(1, 5 / len(models))
            style = series(index) | ({"color": GREY} if name in baselines else {})
            axis.plot([each["low"], each["high"]], [height] * 2, color=style["color"], linewidth=2)
            label = model if row == len(names) - 1 else None
            axis.plot(each["value"], height, **style | {"linestyle": ""}, markersize=5, label=label)
    axis.axvline(0, color=GREY, linewidth=1, linestyle=":")
    axis.set_yticks(range(len(names)), map(shortened, names))
    axis.set(xlabel="faithfulness: area under insertion minus area under deletion")
    legend_below(figure, axis)
    return figure


def deletion_and_insertion(
    curves: Mapping[str, Mapping[str, Mapping[str, Sequence[float]]]], baselines: Sequence[str]
) -> Figure:
    """Mean probability of the answer as pixels are replaced (top) and restored (bottom), a column per filling.

    Methods are coloured; baselines are broken black lines.
    """
    styles = dict(zip(baselines, ({"color": INK, "linestyle": line} for line in (":", "--")), strict=True))
    fillings = list(next(iter(curves.values())))
    figure = Figure((11, 6), layout="constrained")
    axes = figure.subplots(2, len(fillings), sharex=True, sharey=True)
    for index, (name, by_filling) in enumerate(curves.items()):
        style: Any = styles.get(name, series(index, TEN_COLOURS) | {"marker": ""})
        for column, filling in enumerate(fillings):
            for axis, kind in zip(axes[:, column], ("deletion", "insertion"), strict=True):
                values = by_filling[filling][kind]
                axis.plot(np.linspace(0, 100, len(values)), values, linewidth=1.4, label=name, **style)
                axis.set_title(
                    f"{kind}, filled with {filling}" if filling != "inverted" else f"{kind}, inverted", fontsize=10
                )
                tidy(axis)
    for axis in axes[-1]:
        axis.set_xlabel("pixels changed (%)")
    for axis in axes[:, 0]:
        axis.set_ylabel("probability of the answer")
    legend_below(figure, axes[0, 0])
    return figure


def cascade(stages: Sequence[str], similarity: Mapping[str, Sequence[float]]) -> Figure:
    """The similarity of maps to the trained network's as its layers are randomised from the logits down."""
    figure, axis = single(8.5, 3.8)
    for index, (name, values) in enumerate(similarity.items()):
        axis.plot(range(len(values) + 1), [1, *values], **series(index, TEN_COLOURS), markersize=4, label=name)
    axis.axhline(0, color=GREY, linewidth=1, linestyle=":")
    axis.set_xticks(range(len(stages) + 1), ["trained", *map(shortened, stages)], rotation=20, ha="right", fontsize=8)
    axis.set(ylabel="rank correlation with the\ntrained network's map", xlabel="randomised from the logits down to")
    legend_below(figure, axis)
    return figure


def _grid(rows: int, columns: int, size: float) -> tuple[Figure, np.ndarray]:
    figure = Figure((columns * size + 0.6, rows * size + 0.4), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.flat:
        _bare(axis)
    return figure, axes


def _bare(axis: Axes) -> None:
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_visible(False)
