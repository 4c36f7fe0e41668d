"""What the models' cards promise of sure answers and prediction sets, and how these fare under damage."""

import numpy as np

from digits.checkpoints import promises
from digits.robustness.analysis import Robustness


def kept(robustness: Robustness) -> dict[str, dict]:
    """How sure answers and prediction sets fare in a sweep, by model; those that promise nothing are left out.

    Returns:
        `error_rate`; `by_severity`, over all corruptions: the `severity`, the fractions of answers that are `sure`, of
        these that are `wrong`, of prediction sets that are `not_covered`, and their mean `set_size`; and, over the
        cells with corruption, in how many of `cells` the promises of `sure_kept` and `covered_kept` held. With no sure
        answer, `wrong` is None, and the promise wasn't kept.
    """
    results, found = robustness.results, {}
    for model, name in enumerate(robustness.names):
        promise = promises.made(robustness.cards[name])
        if promise is promises.NONE:
            continue
        sure, covered, size = (
            np.stack([getattr(cell, each)[model] for cell in results.cells])
            for each in ("is_sure", "is_covered", "set_size")
        )
        wrong = sure & ~results.correct[:, model]
        by_severity = []
        for severity in robustness.severities:
            chosen = [cell.severity == severity for cell in results.cells]
            by_severity.append(
                {
                    "severity": severity,
                    "sure": float(sure[chosen].mean()),
                    "wrong": float(wrong[chosen].sum() / sure[chosen].sum()) if sure[chosen].any() else None,
                    "not_covered": float(1 - covered[chosen].mean()),
                    "set_size": float(size[chosen].mean()),
                }
            )
        answered, misread = sure[1:].sum(axis=1), wrong[1:].sum(axis=1)
        found[name] = {
            "error_rate": promise.error_rate,
            "by_severity": by_severity,
            "cells": len(answered),
            "sure_kept": int(np.sum((answered > 0) & (misread <= promise.error_rate * answered))),
            "covered_kept": int(np.sum((~covered[1:]).mean(axis=1) <= promise.error_rate)),
        }
    return found
