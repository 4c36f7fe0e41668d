"""Pictures as matplotlib figures: arrays in, a `Figure` out, never a file."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from digits.metrics import Reliability
from digits.statistics import wilson_interval

INK = "#1b1f24"
BLUE = "#2563a8"
RED = "#c2452d"
GREY = "#8a929c"
# Okabe and Ito's palette (2008), told apart with any colour vision.
PALETTE = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#666666")


def digit_grid(
    images: np.ndarray,
    titles: Sequence[str] | None = None,
    columns: int = 10,
    title: str = "",
    wrong: Sequence[bool] | None = None,
) -> Figure:
    """Digits, uint8 (N, 28, 28), in rows as dark ink on white, with a line above each; red where `wrong`."""
    rows = max(1, -(-len(images) // columns))
    height = 1.25 if titles is not None else 1.0
    figure = Figure((columns * 1.0, rows * height + (0.5 if title else 0.1)), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    for index, (axis, image) in enumerate(zip(axes.flat, images, strict=False)):
        axis.imshow(image, cmap="gray_r", vmin=0, vmax=255, interpolation="nearest")
        if titles is not None:
            colour = RED if wrong is not None and wrong[index] else INK
            axis.set_title(titles[index], fontsize=8, color=colour, pad=2)
    if title:
        figure.suptitle(title, fontsize=12, color=INK)
    return figure


def class_distribution(labels_by_part: Mapping[str, np.ndarray]) -> Figure:
    """Share of each digit in each part of the data, in percent, with the counts of the whole."""
    figure, axis = single(8, 3.6)
    width = 0.8 / len(labels_by_part)
    for index, (part, labels) in enumerate(labels_by_part.items()):
        shares = np.bincount(labels, minlength=10) * 100 / len(labels)
        offset = (index - (len(labels_by_part) - 1) / 2) * width
        axis.bar(np.arange(10) + offset, shares, width, label=f"{part} ({len(labels):,})", color=PALETTE[index])
    axis.axhline(10, color=GREY, linewidth=1, linestyle=":")
    axis.set(xticks=range(10), xlabel="digit", ylabel="share (%)", title="How often each digit occurs")
    figure.legend(frameon=False, ncols=3, loc="outside lower center")
    return figure


def training_curves(history: Mapping[str, Sequence[float]]) -> Figure:
    """Accuracy and loss, in training and validation, by epoch, with the learning rate."""
    epochs = range(1, len(history["loss"]) + 1)
    figure = Figure((11, 3.4), layout="constrained")
    accuracy, loss, rate = figure.subplots(1, 3)
    for axis, key, label in ((accuracy, "accuracy", "accuracy"), (loss, "loss", "loss")):
        axis.plot(epochs, history[key], color=GREY, label="training, as augmented")
        axis.plot(epochs, history[f"val_{key}"], color=BLUE, label="validation")
        axis.set(xlabel="epoch", ylabel=label)
    best = int(np.argmin(history["val_loss"]))
    for axis, key in ((accuracy, "val_accuracy"), (loss, "val_loss")):
        axis.plot(best + 1, history[key][best], "o", color=BLUE)
    figure.suptitle(f"kept: epoch {best + 1}, validation accuracy {history['val_accuracy'][best]:.2%}", color=INK)
    # Early epochs would squeeze the rest into a line.
    accuracy.set_ylim(bottom=min(np.median(history["accuracy"]), np.median(history["val_accuracy"])) - 0.02, top=1.001)
    loss.set_yscale("log")
    rate.plot(epochs, history["learning_rate"], color=INK)
    rate.set(xlabel="epoch", ylabel="learning rate at its end")
    accuracy.legend(frameon=False, loc="lower right")
    for axis in (accuracy, loss, rate):
        axis.xaxis.get_major_locator().set_params(integer=True)
        tidy(axis)
    return figure


def error_rates(names: Sequence[str], accuracies: Sequence[float], intervals: Sequence[Sequence[float]]) -> Figure:
    """Error rates of several models on one set with their 95 % intervals, the best on top, on a logarithmic scale."""
    order = np.argsort(accuracies)
    figure, axis = single(8, 0.42 * len(names) + 1.3)
    for place, index in enumerate(order):
        error = 100 * (1 - accuracies[index])
        low, high = (100 * (1 - bound) for bound in reversed(intervals[index]))
        axis.plot([low, high], [place, place], color=BLUE, linewidth=3, alpha=0.4, solid_capstyle="round")
        axis.plot(error, place, "o", color=BLUE)
        axis.annotate(f"{error:.2f} %", (high, place), (7, 0), textcoords="offset points", va="center", fontsize=9)
    axis.set_yticks(range(len(names)), [names[index] for index in order])
    axis.set(xscale="log", xlabel="misread test digits (%), with 95 % interval", ylim=(-0.6, len(names) - 0.4))
    axis.xaxis.set_major_formatter("{x:g}")
    axis.margins(x=0.12)
    smallest, largest = axis.get_xlim()
    if largest < 10 * smallest:
        axis.xaxis.set_minor_formatter("{x:g}")
    axis.grid(axis="x", which="both", alpha=0.15)
    return figure


def confusion(counts: np.ndarray, title: str) -> Figure:
    """A confusion matrix twice: counts, and per cent of each true digit; correct answers stay uncoloured."""
    figure = Figure((11, 5), layout="constrained")
    rows = np.maximum(counts.sum(axis=1, keepdims=True), 1)
    mistakes = counts - np.diag(np.diag(counts))
    for axis, numbers, shade, form, name in zip(
        figure.subplots(1, 2),
        (counts, 100 * counts / rows),
        (mistakes, mistakes / rows),
        ("{:.0f}", "{:.1f}"),
        ("images", "% of the true digit"),
        strict=True,
    ):
        axis.imshow(shade, cmap="Reds", vmin=0, vmax=max(shade.max(), 1e-9) * 1.4)
        for true, answer in np.argwhere(counts):
            bold = "bold" if true == answer else "normal"
            axis.text(
                answer, true, form.format(numbers[true, answer]), ha="center", va="center", fontsize=8, weight=bold
            )
        axis.set(xticks=range(10), yticks=range(10), xlabel="answer", ylabel="true digit", title=name)
    figure.suptitle(title, color=INK)
    return figure


def reliability_diagram(by_model: Mapping[str, Reliability]) -> Figure:
    """Accuracy against confidence with 95 % intervals, above how many answers have that confidence."""
    figure = Figure((6, 5.4), layout="constrained")
    diagram, histogram = figure.subplots(2, 1, height_ratios=(3, 1), sharex=True)
    diagram.plot([0, 1], [0, 1], color=GREY, linestyle=":", label="perfectly calibrated")
    for (name, bins), colour in zip(by_model.items(), PALETTE, strict=False):
        some = bins.counts > 0
        diagram.plot(bins.confidence[some], bins.accuracy[some], "o-", color=colour, label=name, markersize=4)
        right = np.round(bins.accuracy[some] * bins.counts[some]).astype(int)
        bounds = [wilson_interval(*pair) for pair in zip(right.tolist(), bins.counts[some].tolist(), strict=True)]
        diagram.vlines(bins.confidence[some], *zip(*bounds, strict=True), color=colour, alpha=0.4)
        histogram.stairs(bins.counts, bins.edges, color=colour)
    diagram.set(ylabel="accuracy", ylim=(-0.02, 1.02), title="Is the confidence honest?")
    histogram.set(xlabel="confidence", ylabel="images", yscale="log")
    diagram.legend(frameon=False)
    for axis in (diagram, histogram):
        tidy(axis)
    return figure


def confidence_histogram(confidence: np.ndarray, correct: np.ndarray, title: str) -> Figure:
    """How confident the right answers are and how confident the wrong ones, float (N,) and bool (N,)."""
    figure, axis = single(7, 3.4)
    bins = np.linspace(0, 1, 41)
    axis.hist(confidence[correct], bins, color=BLUE, alpha=0.75, label=f"right ({correct.sum():,})")
    axis.hist(confidence[~correct], bins, color=RED, alpha=0.75, label=f"wrong ({(~correct).sum():,})")
    axis.set(yscale="log", xlabel="confidence", ylabel="images", title=title)
    axis.legend(frameon=False, loc="upper left")
    return figure


def probability_bars(image: np.ndarray, probabilities: np.ndarray, title: str) -> Figure:
    """The 28×28 image that the model saw beside its ten probabilities (10,)."""
    figure = Figure((7, 3), layout="constrained")
    seen, bars = figure.subplots(1, 2, width_ratios=(1, 1.8))
    seen.imshow(image, cmap="gray_r", vmin=0, vmax=255, interpolation="nearest")
    seen.set_title("what the model saw", fontsize=9)
    seen.set_axis_off()
    answer = int(probabilities.argmax())
    colours = [BLUE if digit == answer else GREY for digit in range(10)]
    bars.bar(range(10), 100 * probabilities, color=colours)
    for digit in np.flatnonzero(probabilities >= 0.005):
        bars.text(digit, 100 * probabilities[digit] + 1, f"{probabilities[digit]:.0%}", ha="center", fontsize=8)
    bars.set(xticks=range(10), ylim=(0, 109), xlabel="digit", ylabel="probability (%)")
    tidy(bars)
    figure.suptitle(title, color=INK)
    return figure


def before_and_after(labels: np.ndarray, before: np.ndarray, after: np.ndarray) -> Figure:
    """Accuracy by class before and after a fine-tuning, which answers were right being bool (N,)."""
    figure, axis = single(8, 3.2)
    for digit in range(10):
        start, end = (100 * correct[labels == digit].mean() for correct in (before, after))
        axis.plot([digit, digit], [start, end], color=GREY, linewidth=2, zorder=1)
    for correct, colour, name in ((before, GREY, "before"), (after, BLUE, "after")):
        shares = [100 * correct[labels == digit].mean() for digit in range(10)]
        axis.scatter(range(10), shares, color=colour, s=60, zorder=2, label=f"{name}: {correct.mean():.1%} of all")
    axis.set(xlabel="digit", ylabel="read rightly (%)", xticks=range(10))
    axis.set_ylim(top=102)
    axis.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    tidy(axis)
    return figure


def learning_curve(points: Sequence[Mapping]) -> Figure:
    """Accuracy on own digits by how many samples of each were learnt, from `personal.learning_curve`."""
    figure, axis = single(8, 3.4)
    samples = [point["samples"] for point in points]
    for when, colour in (("before", GREY), ("after", BLUE)):
        scores = [point[when] for point in points]
        low, high = np.transpose([score["interval"] for score in scores]) * 100
        axis.fill_between(samples, low, high, color=colour, alpha=0.15, linewidth=0)
        axis.plot(samples, [100 * score["accuracy"] for score in scores], "o-", color=colour, label=when)
    axis.set(xlabel="samples of each digit", ylabel="others of them read rightly (%)", xscale="log")
    axis.set_xticks(samples, samples)
    axis.minorticks_off()
    axis.legend(frameon=False, loc="lower right")
    tidy(axis)
    return figure


def errors_by_samples(writers: Mapping) -> Figure:
    """Percent of their held-out digits misread, by how many samples of each digit were learnt: writers, and their mean.

    Args:
        writers: `imagined_writers` of the results of `benchmarks/finetuning.py`.
    """
    figure, axis = single(8, 3.6)
    sizes = [0, *map(int, writers["by_samples"])]
    wrong = []
    for name in dict.fromkeys(run["writer"] for run in writers["runs"]):
        runs = [run for run in writers["runs"] if run["writer"] == name]
        wrong.append([runs[0]["wrong_before"], *(run["wrong_after"] for run in runs)])
    wrong = 100 * np.array(wrong).T / writers["judged_digits"]
    one, *_ = axis.plot(wrong, color=GREY, alpha=0.35, linewidth=1)
    (mean,) = axis.plot(wrong.mean(axis=1), "o-", color=BLUE, linewidth=2)
    axis.set(xlabel="samples of each digit", ylabel="held-out digits misread (%)", ylim=(0, None))
    axis.set_xticks(range(len(sizes)), ["none: the base", *map(str, sizes[1:])])
    axis.legend([mean, one], [f"mean of {wrong.shape[1]} writers", "one of them"], frameon=False)
    return figure


def single(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure with one tidy axis."""
    figure = Figure((width, height), layout="constrained")
    axis = figure.subplots()
    tidy(axis)
    return figure, axis


def tidy(axis: Axes) -> None:
    """Take away the lines above and to the right."""
    axis.spines[["top", "right"]].set_visible(False)
