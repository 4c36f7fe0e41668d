"""Measure how robust models are to corruptions: the sweep, its analysis, worst cases, and the report.

In: checkpoints, labelled digits and corruptions. Out: accuracy by corruption and severity, with intervals; from
`report`, tables, figures and one HTML page.
"""
