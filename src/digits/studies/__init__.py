"""Studies: variants of a recipe, each trained with several seeds, compared with intervals and tests.

In: a TOML file that declares the variants. Out: results as JSON, tables, figures and a page; models to ship.
"""
