"""Studies: variants of a recipe, each trained from several seeds, compared with intervals and tests.

In: a TOML declaration. Out: results as JSON, tables, a picture and a page; models to ship.
"""
