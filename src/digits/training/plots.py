"""Figures of a training: arrays in, a `Figure` out, never a file."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from digits.reporting.figures import BLUE, GREY, INK, tidy


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
