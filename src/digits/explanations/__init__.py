"""Why a model answers as it does, and whether the explanation is true.

In: a recogniser and images. Out: heat maps, similar training digits, counterfactuals, Shapley values; how faithful each
method is; a report.
"""
