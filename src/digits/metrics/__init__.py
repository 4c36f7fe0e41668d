"""Scores and calibration of classifiers, confidence intervals and statistical tests.

In: probabilities, float (N, 10), and labels, integers (N,); or which predictions are correct, bool (N,). Out: numbers.
"""

from digits.metrics.conformal import least_probability, prediction_sets
from digits.metrics.scores import (
    Reliability,
    best_temperature,
    brier_score,
    confusion_matrix,
    expected_calibration_error,
    most_confused,
    negative_log_likelihood,
    reliability,
    temper,
)
from digits.metrics.selective import RiskCoverage, risk_coverage
