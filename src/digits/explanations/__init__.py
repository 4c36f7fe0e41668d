"""Why a model answers as it does, and whether the explanations are faithful to it.

In: a recogniser and images. Out: heat maps, similar training digits, counterfactuals and Shapley values; a benchmark of
the attribution methods; a report.
"""
