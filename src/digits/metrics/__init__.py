"""How good answers are, and how sure that is: scores, calibration, intervals and tests.

In: probabilities (N, 10) and labels (N,), or which answers were right, bool (N,). Out: numbers.
"""

from digits.metrics.scores import (
    Reliability,
    best_temperature,
    brier_score,
    confusion_matrix,
    expected_calibration_error,
    most_confused,
    negative_log_likelihood,
    reliability,
    sure_threshold,
    temper,
)
