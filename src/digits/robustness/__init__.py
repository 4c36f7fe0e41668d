"""Where models break: the corruption sweep, its analysis, worst cases, and the report.

In: checkpoints, labelled digits and corruptions. Out: accuracy by corruption and severity with intervals.
"""
