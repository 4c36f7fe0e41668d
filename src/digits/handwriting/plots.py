"""Figures of fine-tuning: arrays in, a `Figure` out, never a file."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from digits.reporting.figures import BLUE, GREY, save_figure, single


def before_and_after(labels: np.ndarray, before: np.ndarray, after: np.ndarray) -> Figure:
    """Accuracy by class before and after fine-tuning, from whether answers are correct, bool (N,)."""
    figure, axis = single(8, 3.2)
    for digit in range(10):
        start, end = (100 * correct[labels == digit].mean() for correct in (before, after))
        axis.plot([digit, digit], [start, end], color=GREY, linewidth=2, zorder=1)
    for correct, colour, name in ((before, GREY, "before"), (after, BLUE, "after")):
        shares = [100 * correct[labels == digit].mean() for digit in range(10)]
        axis.scatter(range(10), shares, color=colour, s=60, zorder=2, label=f"{name}: {correct.mean():.1%} overall")
    axis.set(xlabel="digit", ylabel="accuracy (%)", xticks=range(10))
    axis.set_ylim(top=102)
    axis.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def learning_curve(points: Sequence[Mapping]) -> Figure:
    """Accuracy on the user's digits by the number of training samples per class."""
    figure, axis = single(8, 3.4)
    samples = [point["samples"] for point in points]
    for when, colour in (("before", GREY), ("after", BLUE)):
        scores = [point[when] for point in points]
        low, high = np.transpose([score["interval"] for score in scores]) * 100
        axis.fill_between(samples, low, high, color=colour, alpha=0.15, linewidth=0)
        axis.plot(samples, [100 * score["accuracy"] for score in scores], "o-", color=colour, label=when)
    axis.set(xlabel="training samples per digit", ylabel="accuracy on held-out samples (%)", xscale="log")
    axis.set_xticks(samples, samples)
    axis.minorticks_off()
    axis.legend(frameon=False, loc="lower right")
    return figure


def write_finetuning(
    labels: np.ndarray, before: np.ndarray, after: np.ndarray, curve: Sequence[Mapping], folder: Path
) -> list[Path]:
    """Write `before_and_after.png`, and `learning_curve.png` where there is one."""
    written = [save_figure(before_and_after(labels, before, after), folder / "before_and_after.png")]
    if curve:
        written.append(save_figure(learning_curve(curve), folder / "learning_curve.png"))
    return written
