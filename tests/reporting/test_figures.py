"""Every figure that names models, methods, variants or pictures, with 25 of them and with names that look like code."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from digits import metrics
from digits.checkpoints import comparison
from digits.corruptions import SEVERITIES, select
from digits.evaluation import plots as evaluation_plots
from digits.explanations import plots as explanation_plots
from digits.metrics.intervals import Estimate
from digits.recognition import plots as recognition_plots
from digits.reporting import figures
from digits.robustness import plots as robustness_plots
from digits.studies import plots as study_plots
from digits.studies.results import Comparison, Results, Variant

# Formulas, one of them broken, HTML, right-to-left marks, line breaks, and letters that the font lacks.
NAMES = [f"{kind}{number}" for number in range(4) for kind in ("$a", "$x$ $\\b$", "<b>&", "\u202e", "数字\n", "_")]
NAMES.append("a name that is as long as a name of a checkpoint may be, which is a hundred letters " + 17 * "x")
COUNT = len(NAMES)
KINDS = select(["rotate", "fog"])
SHOWN = (0, *SEVERITIES)
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (COUNT, 28, 28), np.uint8)
SCORE = {"value": 0.5, "low": 0.4, "high": 0.6}
ESTIMATES = {"clean": Estimate(0.9, 0.8, 1), "mnist_c": Estimate(0.6, 0.5, 0.7)}
ACCURACY = {measure: np.array([0.6, 0.7]) for measure in ESTIMATES}
VARIANTS = [Variant(name, [], ACCURACY, ESTIMATES) for name in NAMES]


def shares(*shape: int) -> np.ndarray:
    return RNG.uniform(0, 1, shape)


def differences() -> Figure:
    nothing = Estimate(0, -0.1, 0.1)
    compared = [Comparison(name, measure, nothing, None) for name in NAMES[1:] for measure in ESTIMATES]
    return study_plots.differences(cast("Results", SimpleNamespace(variants=VARIANTS, comparisons=compared)))


def reliability() -> Figure:
    bins = metrics.reliability(shares(200, 10), RNG.integers(0, 10, 200))
    return evaluation_plots.reliability_diagram(dict.fromkeys(NAMES, bins))


def curves() -> Figure:
    accuracy = shares(len(KINDS), len(SHOWN), COUNT)
    return robustness_plots.accuracy_curves(KINDS, SHOWN, NAMES, accuracy, accuracy - 0.1, accuracy + 0.1, 0.95)


def deletion_and_insertion() -> Figure:
    values = {filling: {"deletion": [1, 0], "insertion": [0, 1]} for filling in ("paper", "ink")}
    return explanation_plots.deletion_and_insertion(dict.fromkeys(NAMES, values), NAMES[:2])


PLOTS: dict[str, Callable[[], Figure]] = {
    "reliability": reliability,
    "confusion": lambda: evaluation_plots.confusion_matrix(np.eye(10, dtype=int), NAMES[0]),
    "confidence": lambda: evaluation_plots.confidence_histogram(shares(9), shares(9) > 0.5, NAMES[1]),
    "comparison": lambda: comparison.error_rates(NAMES, shares(COUNT), [(0.1, 0.9)] * COUNT),
    "curves": curves,
    "heat map": lambda: robustness_plots.heat_map(
        KINDS, NAMES, shares(COUNT, len(KINDS)), np.full((COUNT, len(KINDS)), "seen")
    ),
    "calibration": lambda: robustness_plots.calibration_under_shift(SHOWN, NAMES, *shares(3, len(SHOWN), COUNT)),
    "pairs": lambda: robustness_plots.pair_map(["fog", "rotate"], {("fog", "rotate"): 0.5}, NAMES[0]),
    "one picture": lambda: robustness_plots.corruption_grid(
        IMAGES[:12].reshape(2, 6, 28, 28), shares(2, 6, 10), KINDS, NAMES[1]
    ),
    "heat maps": lambda: explanation_plots.heat_maps(IMAGES[:2], dict.fromkeys(NAMES, shares(2, 28, 28)), NAMES[:2]),
    "ground truth": lambda: explanation_plots.ground_truth(
        IMAGES[:1], shares(1, 28, 28), shares(1, 4, 4), dict.fromkeys(NAMES, shares(1, 4, 4)), NAMES[:1]
    ),
    "training digits": lambda: explanation_plots.training_digits(
        IMAGES[:2], {"nearest": (IMAGES[:4].reshape(2, 2, 28, 28), np.zeros((2, 2)))}, np.zeros(2), NAMES[:2]
    ),
    "faithfulness": lambda: explanation_plots.faithfulness(
        {name: dict.fromkeys(NAMES, SCORE) for name in NAMES}, NAMES[:2]
    ),
    "deletion and insertion": deletion_and_insertion,
    "cascade": lambda: explanation_plots.cascade(NAMES, {name: shares(COUNT).tolist() for name in NAMES}),
    "study": lambda: study_plots.seeds_and_means(VARIANTS),
    "differences": differences,
    "probabilities": lambda: recognition_plots.probability_bars(IMAGES[0], shares(10), NAMES[0]),
    "grid": lambda: figures.digit_grid(IMAGES, NAMES),
}
WITH_A_LEGEND = ("reliability", "curves", "calibration", "faithfulness", "deletion and insertion", "cascade")


@pytest.mark.parametrize("plot", PLOTS)
def test_any_number_of_any_names_is_shown_as_text(plot, tmp_path):
    """A warning, as of axes without room, is an error in these tests."""
    figure = PLOTS[plot]()
    path = figures.save_figure(figure, tmp_path / "figure.png")
    with Image.open(path) as picture:
        assert max(picture.size) < 12_000
    texts = [text for text in figure.findobj(Text) if isinstance(text, Text) and text.get_text()]
    shown = {text.get_text() for text in texts if not text.get_parse_math()}
    assert any(NAMES[index] in text for index in (0, 1) for text in shown)
    # In what is left are numbers alone.
    formulas = [text.get_text() for text in texts if text.get_parse_math() and text.get_visible()]
    assert not any(name in formula for formula in formulas for name in NAMES)


@pytest.mark.parametrize("plot", WITH_A_LEGEND)
def test_each_series_is_in_the_legend_and_looks_unlike_the_others(plot):
    (legend,) = PLOTS[plot]().legends
    lines = dict(zip((text.get_text() for text in legend.get_texts()), legend.get_lines(), strict=True))
    shown = [figures.shortened(name) for name in NAMES]
    assert set(shown) <= lines.keys()
    looks = {(line.get_color(), line.get_linestyle(), line.get_marker()) for line in map(lines.get, shown)}
    assert len(looks) == COUNT


def test_logarithmic_axes_keep_their_powers_of_ten(tmp_path):
    figure, axis = figures.single(3, 2)
    axis.plot([1, 1e4], [1, 1e4])
    axis.set(xscale="log", title="$5")
    figures.save_figure(figure, tmp_path / "figure.png")
    assert all(label.get_parse_math() for label in axis.get_xticklabels())
    assert not axis.title.get_parse_math()
