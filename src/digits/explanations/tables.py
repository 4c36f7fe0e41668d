"""The tables of the report of explanations."""

from collections.abc import Mapping, Sequence

import numpy as np

from digits.explanations.benchmark import TITLES
from digits.explanations.faithfulness import FILLINGS
from digits.files import safe_name
from digits.reporting.tables import Cell, Table, number, percent

FROM_TO = {"deletion": "to", "insertion": "from"}


def ranking(kind: str, methods: Sequence[Mapping]) -> Table:
    """Which methods to trust on models of one kind, as `benchmark.rank` ranks them."""
    columns = [
        ("method", [TITLES[row["method"]] for row in methods]),
        ("mean rank", [number(row["rank"], ".1f") for row in methods]),
        ("mean faithfulness", [number(row["faithfulness"], ".3f") for row in methods]),
        ("parameter randomisation", ["passes" if row["passes_randomisation"] else "fails" for row in methods]),
        ("beats baselines", ["yes" if row["beats_baselines"] else "no" for row in methods]),
    ]
    return Table(f"ranking_{kind}", f"Attribution methods on {kind} models, the best first.", columns)


def methods(model: str, measured: Mapping[str, Mapping]) -> Table:
    """What the benchmark measured of every method on one model, the most faithful first."""
    rows = sorted(measured.items(), key=lambda row: -row[1]["faithfulness"]["value"])
    columns = {"faithfulness": "faithfulness"}
    columns |= {f"{way} {word} {filling}": f"{way} {filling}" for way, word in FROM_TO.items() for filling in FILLINGS}
    columns |= {"sensitivity-n": "sensitivity", "Shapley": "shapley", "stability": "stability"}
    randomised = [row["randomisation"][-1] if "randomisation" in row else None for _, row in rows]
    return Table(
        f"{safe_name(model)}_methods",
        f"Attribution methods on {model}, with 95 % bootstrap intervals.",
        [
            ("method", [TITLES[name] for name, _ in rows]),
            *((title, [_estimate(row[key]) for _, row in rows]) for title, key in columns.items()),
            ("randomised", [_estimate(one) for one in randomised]),
            ("with a map", [percent(row["evidence"]["value"], 1) for _, row in rows]),
        ],
    )


def agreement(model: str, by_method: Mapping[str, np.ndarray]) -> Table:
    """How well the methods agree with the Shapley values of some digits."""
    columns = [
        ("method", [TITLES[name] for name in by_method]),
        ("mean rank correlation", [number(float(each.mean())) for each in by_method.values()]),
    ]
    return Table(f"{safe_name(model)}_shapley", f"Agreement with the Shapley values of these digits, {model}.", columns)


def _estimate(one: Mapping[str, float] | None) -> Cell | None:
    return number(one["value"], interval=(one["low"], one["high"])) if one else None
