"""How well models read labelled digits, alone and against each other, and the report of it.

In: recognisers and `data.Digits`. Out: an `Evaluation` for each model; pictures, JSON and one HTML page.
"""

from digits.evaluation.evaluation import Evaluation, compare_all, evaluate
