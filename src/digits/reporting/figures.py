"""Colours, helpers and the grid of digits that all matplotlib figures share."""

import io
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from digits.files import replacing

# A matplotlibrc in the current folder may have come with whatever else is there, and one of the settings in it makes
# matplotlib run LaTeX.
if Path(mpl.matplotlib_fname()).resolve().parent == Path.cwd():
    mpl.rcdefaults()

INK = "#1b1f24"
BLUE = "#2563a8"
RED = "#c2452d"
GREY = "#8a929c"
# The palette of Okabe and Ito (2008), which is distinguishable with any colour vision.
PALETTE = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#666666")
LINES, MARKERS = ("-", "--", "-.", ":"), ("o", "s", "^", "D", "v", "P", "X")


def digit_grid(
    images: np.ndarray,
    titles: Sequence[str] | None = None,
    columns: int = 10,
    title: str = "",
    wrong: Sequence[bool] | None = None,
) -> Figure:
    """A grid of digits, uint8 (N, 28, 28), dark on white, with an optional title above each, red where `wrong`."""
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


def single(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure, `width` by `height` inches, with one `tidy` axis."""
    figure = Figure((width, height), layout="constrained")
    axis = figure.subplots()
    tidy(axis)
    return figure, axis


def series(index: int, colours: Sequence[str] = PALETTE) -> Any:
    """Colour, line and marker of a series, for `plot`; after the last colour, lines and markers change."""
    repeated = index // len(colours)
    return {
        "color": colours[index % len(colours)],
        "linestyle": LINES[repeated % len(LINES)],
        "marker": MARKERS[repeated % len(MARKERS)],
    }


def shortened(name: str) -> str:
    """A name that leaves room for the axes which it labels."""
    return name if len(name) <= 40 else f"{name[:24]}…{name[-15:]}"


def legend_below(figure: Figure, axis: Axes) -> None:
    """Add a legend of an axis's series below all axes, and make the figure higher by as much."""
    # By default, matplotlib leaves out names that begin like those that it gives itself.
    handles = [line for line in axis.lines if not re.fullmatch(r"_child\d+", str(line.get_label()))]
    labels = [shortened(str(line.get_label())) for line in handles]
    columns = max(1, int(11 * figure.get_figwidth() / (max(map(len, labels)) + 7)))
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False, fontsize=9)
    figure.set_figheight(figure.get_figheight() + 0.2 * -(-len(labels) // columns))


def tidy(axis: Axes) -> None:
    """Remove the top and right spines."""
    axis.spines[["top", "right"]].set_visible(False)


def save_figure(figure: Figure, path: Path) -> Path:
    """Write a figure to `path` in the format of its suffix, atomically, and return `path`."""
    with replacing(path) as temporary:
        temporary.write_bytes(encode_figure(figure, path.suffix[1:])[0])
    return path


def encode_figure(figure: Figure, *formats: str) -> list[bytes]:
    """A figure in one or more formats, as "png", "svg" or "pdf".

    Names may contain anything: dollar signs in them mean no formula, and characters that the font lacks become boxes.
    """
    for text in figure.findobj(Text):
        # Logarithmic axes label their ticks with formulas, but only when they are drawn.
        if isinstance(text, Text) and text.get_text():
            text.set_parse_math(False)
    encoded = []
    for each in formats:
        written = io.BytesIO()
        # Publishers want TrueType fonts in a PDF.
        with mpl.rc_context({"pdf.fonttype": 42}), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing from")
            figure.savefig(written, format=each, dpi=130)
        encoded.append(written.getvalue())
        # The layout stays as it is, which saves half of the time for the next format.
        figure.set_layout_engine("none")
    return encoded
