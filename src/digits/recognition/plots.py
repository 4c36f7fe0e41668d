"""Figures of a verdict: arrays in, a `Figure` out, never a file."""

import numpy as np
from matplotlib.figure import Figure

from digits.reporting.figures import BLUE, GREY, INK, tidy
from digits.reporting.words import percent


def probability_bars(image: np.ndarray, probabilities: np.ndarray, title: str) -> Figure:
    """The image that a model was given, uint8 (28, 28), beside its ten probabilities, (10,)."""
    figure = Figure((7, 3), layout="constrained")
    seen, bars = figure.subplots(1, 2, width_ratios=(1, 1.8))
    seen.imshow(image, cmap="gray_r", vmin=0, vmax=255, interpolation="nearest")
    seen.set_title("what the model saw", fontsize=9)
    seen.set_axis_off()
    answer = int(probabilities.argmax())
    colours = [BLUE if digit == answer else GREY for digit in range(10)]
    bars.bar(range(10), 100 * probabilities, color=colours)
    for digit in np.flatnonzero(probabilities >= 0.005):
        bars.text(digit, 100 * probabilities[digit] + 1, percent(probabilities[digit]), ha="center", fontsize=8)
    bars.set(xticks=range(10), ylim=(0, 109), xlabel="digit", ylabel="probability (%)")
    tidy(bars)
    figure.suptitle(title, color=INK)
    return figure
