"""Evaluate models on labelled digits, compare them in pairs, and write a report.

In: classifiers and `data.Digits`. Out: an `Evaluation` per model; from `report`, figures, JSON and one HTML page.
"""

from digits.evaluation.by_writer import ByWriter
from digits.evaluation.evaluation import Evaluation, differences_by_writer, evaluate, pairwise_comparisons
