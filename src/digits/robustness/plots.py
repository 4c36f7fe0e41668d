"""Figures of a sweep."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from digits.corruptions import Corruption
from digits.reporting.figures import BLUE, GREY, INK, RED, legend_below, series, shortened, tidy
from digits.reporting.words import percent

PANELS_PER_ROW = 4
EXPOSURE_MARKS = {"seen": "●", "related": "○", "unseen": "", "unknown": "?"}


def sample_sheet(sheet: np.ndarray, corruptions: Sequence[Corruption], severities: Sequence[int]) -> Figure:
    """One digit per corruption, clean and at each severity, dark on white, with the amounts.

    Args:
        sheet: uint8 (corruptions, 1 + severities, 28, 28).
        severities: without the clean 0.
    """
    figure, rows = _rows_in_two_blocks(corruptions, sheet)
    for corruption, axes in zip(corruptions, rows, strict=True):
        axes[0].text(1, 0.3, corruption.unit, ha="right", va="center", fontsize=6.5, color=GREY)
        for severity, axis in zip((0, *severities), axes[1:], strict=True):
            text = f"{corruption.amount(severity):g}" if severity else "clean"
            mark = " = MNIST-C" if severity == corruption.mnist_c else ""
            axis.set_title(text + mark, fontsize=6.5, pad=1, color=BLUE if mark else INK)
    return figure


def _rows_in_two_blocks(corruptions: Sequence[Corruption], images: np.ndarray) -> tuple[Figure, list[np.ndarray]]:
    """A row of images per corruption after its name, uint8 (corruptions, columns, 28, 28), in two blocks side by side.

    Returns:
        The figure, and the axes of each row: one for the name, then one per image.
    """
    columns, per_block = 1 + images.shape[1], -(-len(images) // 2)
    figure = Figure((2 * (images.shape[1] * 0.72 + 1.5), per_block * 0.86 + 0.5), layout="constrained")
    grid = figure.subplots(per_block, 2 * columns, squeeze=False)
    for axis in grid.flat:
        axis.set_axis_off()
    rows = [row[side : side + columns] for side in (0, columns) for row in grid][: len(images)]
    for corruption, row, axes in zip(corruptions, images, rows, strict=True):
        axes[0].text(1, 0.6, corruption.name, ha="right", va="center", fontsize=9, color=INK)
        for image, axis in zip(row, axes[1:], strict=True):
            axis.imshow(image, cmap="gray_r", vmin=0, vmax=255, interpolation="nearest")
    return figure, rows


def accuracy_curves(
    corruptions: Sequence[Corruption],
    severities: Sequence[int],
    names: Sequence[str],
    accuracy: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    floor: float,
) -> Figure:
    """A panel per corruption: every model's accuracy by amount, with its 95 % interval as a band.

    Args:
        severities: including 0 for clean.
        accuracy, low, high: fractions, float (corruptions, severities, models).
        floor: the accuracy below which a model counts as failing, drawn as a line.
    """
    rows = -(-len(corruptions) // PANELS_PER_ROW)
    figure = Figure((12, rows * 2.1 + 0.6), layout="constrained")
    grid = figure.subplots(rows, PANELS_PER_ROW, squeeze=False, sharey=True)
    for axis in grid.flat[len(corruptions) :]:
        axis.set_axis_off()
    for axis, corruption, values, lows, highs in zip(grid.flat, corruptions, accuracy, low, high, strict=False):
        axis.axhline(100 * floor, color=GREY, linewidth=0.8, linestyle=":")
        if corruption.mnist_c in severities:
            axis.axvline(corruption.mnist_c, color=BLUE, linewidth=6, alpha=0.12)
        for model, name in enumerate(names):
            style = series(model) | {"marker": ""}
            axis.plot(severities, 100 * values[:, model], **style, label=name, linewidth=1.5)
            bounds = 100 * lows[:, model], 100 * highs[:, model]
            axis.fill_between(severities, *bounds, color=style["color"], alpha=0.2, linewidth=0)
        axis.set_title(corruption.name, fontsize=10, color=INK, pad=3)
        amounts = ["clean" if not severity else f"{corruption.amount(severity):g}" for severity in severities]
        axis.set_xticks(severities, amounts, fontsize=7)
        axis.set_xlabel(corruption.unit, fontsize=8, labelpad=1)
        axis.set_ylim(0, 101)
        axis.tick_params(axis="y", labelsize=8)
        tidy(axis)
    for axis in grid[:, 0]:
        axis.set_ylabel("accuracy (%)", fontsize=8)
    legend_below(figure, grid.flat[0])
    return figure


def heat_map(
    corruptions: Sequence[Corruption], names: Sequence[str], accuracy: np.ndarray, exposures: np.ndarray
) -> Figure:
    """Mean accuracy over the severities: one row per model, one column per corruption, grouped by kind.

    Args:
        accuracy: fractions, float (models, corruptions).
        exposures: str (models, corruptions), the keys of `EXPOSURE_MARKS`.
    """
    figure = Figure((max(5.0, 2.6 + 0.42 * len(corruptions)), 2.6 + 0.42 * len(names)), layout="constrained")
    axis = figure.subplots()
    axis.imshow(accuracy, cmap="RdYlBu", vmin=0, vmax=1, aspect="auto")
    for (model, column), value in np.ndenumerate(accuracy):
        colour = "white" if value < 0.2 or value > 0.85 else INK
        axis.text(column, model - 0.06, f"{100 * value:.0f}", ha="center", va="center", fontsize=8.5, color=colour)
        mark = EXPOSURE_MARKS[str(exposures[model, column])]
        axis.text(column, model + 0.33, mark, ha="center", va="center", fontsize=5, color=colour)
    axis.set_xticks(range(len(corruptions)), [each.name for each in corruptions], rotation=55, ha="right", fontsize=9)
    axis.set_yticks(range(len(names)), map(shortened, names), fontsize=9)
    kinds = [each.kind for each in corruptions]
    for column in range(1, len(kinds)):
        if kinds[column] != kinds[column - 1]:
            axis.axvline(column - 0.5, color="white", linewidth=4)
    for kind in dict.fromkeys(kinds):
        columns = [column for column, each in enumerate(kinds) if each == kind]
        axis.text(float(np.mean(columns)), -0.62, kind, ha="center", va="bottom", fontsize=9, color=GREY)
    axis.spines[:].set_visible(False)
    axis.tick_params(length=0)
    axis.set_xlabel(
        "mean accuracy (%) over the severities    ● trained with this corruption    ○ with a related one",
        fontsize=9,
        color=GREY,
    )
    return figure


def calibration_under_shift(
    severities: Sequence[int], names: Sequence[str], ece: np.ndarray, confidence: np.ndarray, accuracy: np.ndarray
) -> Figure:
    """Calibration error, confidence and accuracy by severity, as means over the corruptions.

    Args:
        severities: including 0 for clean.
        ece, confidence, accuracy: fractions, float (severities, models).
    """
    figure = Figure((11, 4), layout="constrained")
    error, both = figure.subplots(1, 2)
    for model, name in enumerate(names):
        style = series(model) | {"markersize": 4}
        error.plot(severities, 100 * ece[:, model], **style, label=name)
        both.plot(severities, 100 * confidence[:, model], **style | {"linestyle": "--"})
        both.plot(severities, 100 * accuracy[:, model], **style | {"linestyle": "-"})
    error.set(xlabel="severity", ylabel="expected calibration error (%)", title="Calibration error")
    both.plot([], [], "--", color=GREY, label="mean confidence")
    both.plot([], [], "-", color=GREY, label="accuracy")
    both.set(xlabel="severity", ylabel="%", title="Confidence and accuracy", ylim=(0, 101))
    both.legend(frameon=False, loc="lower left")
    for axis in (error, both):
        axis.set_xticks(severities)
        tidy(axis)
    legend_below(figure, error)
    return figure


def pair_map(corruptions: Sequence[str], accuracy: dict[tuple[str, str], float], title: str) -> Figure:
    """Accuracy, as fractions by pair, under every two corruptions: rows are applied first, columns second."""
    square = np.full((len(corruptions), len(corruptions)), np.nan)
    for (first, second), value in accuracy.items():
        square[corruptions.index(first), corruptions.index(second)] = value
    figure = Figure((9, 8), layout="constrained")
    axis = figure.subplots()
    picture = axis.imshow(100 * square, cmap="RdYlBu", vmin=0, vmax=100)
    axis.set_xticks(range(len(corruptions)), corruptions, rotation=55, ha="right", fontsize=8)
    axis.set_yticks(range(len(corruptions)), corruptions, fontsize=8)
    axis.set(xlabel="second", ylabel="first")
    axis.spines[:].set_visible(False)
    figure.colorbar(picture, ax=axis, shrink=0.6, label="accuracy (%)")
    figure.suptitle(title, color=INK)
    return figure


def corruption_grid(
    images: np.ndarray, probabilities: np.ndarray, corruptions: Sequence[Corruption], title: str
) -> Figure:
    """One image under every corruption and severity with a model's answers, in red where they change.

    Args:
        images: uint8 (corruptions, 6, 28, 28), severity 0 first.
        probabilities: float (corruptions, 6, 10).
    """
    answers, confidence = probabilities.argmax(axis=2), probabilities.max(axis=2)
    figure, rows = _rows_in_two_blocks(corruptions, images)
    for row, axes in enumerate(rows):
        for severity, axis in enumerate(axes[1:]):
            same = answers[row, severity] == answers[row, 0]
            text = f"{answers[row, severity]} · {percent(confidence[row, severity])}"
            axis.set_title(text, fontsize=7, pad=1, color=INK if same else RED)
    figure.suptitle(title, color=INK)
    return figure
