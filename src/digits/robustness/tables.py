"""A sweep's summary as tables: of the report, and in Markdown for the terminal and the docs."""

from collections.abc import Mapping, Sequence

from digits.reporting.tables import Cell, Table, markdown_table, number, percent, percent_estimate, points
from digits.robustness.analysis import ACCEPTABLE_ACCURACY


def of_report(summary: dict) -> dict[str, Table]:
    """The tables of a sweep's report, by name, without those that have no rows."""
    rows, worst_case = summary["headline"], summary["worst_case"]
    names = [row["model"] for row in rows]
    tables = [
        Table(
            "headline",
            "Accuracy on clean and on corrupted digits, with 95 % intervals.",
            [
                ("model", names),
                ("clean", [percent_estimate(row["clean"]) for row in rows]),
                ("mean over corruptions", [percent_estimate(row["all"]) for row in rows]),
                ("MNIST-C levels", [percent_estimate(row["mnist_c"]) for row in rows]),
                ("unseen in training", [percent_estimate(row["unseen"]) for row in rows]),
                ("unseen corruptions", [row["unseen_count"] for row in rows]),
                ("unseen by all", [percent_estimate(row["unseen_by_all"]) for row in rows]),
                ("worst corruption", [row["worst"] for row in rows]),
                ("accuracy there", [percent(row["worst_accuracy"], 1) for row in rows]),
            ],
            best="mean over corruptions",
        ),
        Table(
            "corruption_errors",
            f"Corruption errors relative to {summary['baseline']}, with 95 % intervals; lower is better.",
            [
                ("model", names),
                *(
                    (f"{title}, {average.replace('_', ' ')}", [percent_estimate(row[key][average], 0) for row in rows])
                    for key, title in (("mce", "mCE"), ("relative_mce", "relative mCE"))
                    for average in ("mean_of_ratios", "ratio_of_means")
                ),
            ],
        ),
        _by_model("mnist_c", "MNIST-C's corruptions at its own levels.", "corruption", summary["mnist_c"], names),
        _thresholds(summary),
        _pairwise_comparisons(summary["pairwise_comparisons"]),
        promises(summary),
        promises_kept(summary),
        _by_model("external", "Accuracy on the original MNIST-C.", "set", summary["external"], names),
    ]
    if worst_case:
        tables.append(_worst_cases(worst_case, names))
    return {table.name: table for table in tables if table.rows}


def _by_model(name: str, caption: str, first: str, scores: Mapping, names: Sequence[str]) -> Table:
    """A row per key of `scores`, in which each model has an accuracy or an estimate of it."""
    columns: list = [(first, list(scores))]
    for model in names:
        found = [each[model] for each in scores.values()]
        columns.append((model, [percent(one) if isinstance(one, float) else percent_estimate(one) for one in found]))
    return Table(name, caption, columns)


def _thresholds(summary: dict) -> Table:
    rows = summary["thresholds"]
    columns = [("corruption", [row["corruption"] for row in rows]), ("unit", [row["unit"] for row in rows])]
    for name in accurate_when_clean(summary):
        amounts = [row["models"][name]["amount"] for row in rows]
        texts = [amount_text(row["models"][name], row["last"]) for row in rows]
        cells = zip(texts, amounts, strict=True)
        columns.append((name, [Cell(text, value, _sorted(limits), note) for (text, note), (value, *limits) in cells]))
    caption = f"Amounts at which accuracy falls below {100 * ACCEPTABLE_ACCURACY:.0f} %, with 95 % intervals."
    return Table("thresholds", caption, columns if len(columns) > 2 else [])


def promises(summary: Mapping) -> Table:
    """How sure answers and prediction sets fare, a row per model and severity; 0 is clean."""
    rows = [
        (name, promised, each) for name, promised in summary["promises"].items() for each in promised["by_severity"]
    ]
    columns: list = [
        ("model", [name for name, _, _ in rows]),
        ("severity", [each["severity"] for _, _, each in rows]),
        ("promised error rate", [percent(promised["error_rate"], 1) for _, promised, _ in rows]),
        ("sure answers", [percent(each["sure"], 1) for _, _, each in rows]),
        ("wrong among them", [None if each["wrong"] is None else percent(each["wrong"]) for _, _, each in rows]),
        ("sets that miss the true digit", [percent(each["not_covered"]) for _, _, each in rows]),
        ("digits per set", [number(each["set_size"]) for _, _, each in rows]),
    ]
    return Table("promises", "Sure answers and prediction sets by severity, over all corruptions.", columns)


def promises_kept(summary: Mapping) -> Table:
    """In how many of a sweep's cells with corruption the cards' promises held, a row per model."""
    found = summary["promises"]
    columns: list = [
        ("model", list(found)),
        ("promised error rate", [percent(each["error_rate"], 1) for each in found.values()]),
        ("corruptions and severities", [each["cells"] for each in found.values()]),
        ("kept by sure answers", [each["sure_kept"] for each in found.values()]),
        ("kept by sets", [each["covered_kept"] for each in found.values()]),
    ]
    return Table("promises_kept", "Under how many corruptions and severities the promises held.", columns)


def _sorted(limits: Sequence[float | None]) -> Sequence[float | None]:
    """The limits of an interval in ascending order; those of amounts that fall as severity grows come reversed."""
    known = [limit for limit in limits if limit is not None]
    return sorted(known) if len(known) == len(limits) else limits


def _pairwise_comparisons(pairs: Sequence[Mapping]) -> Table:
    differences = [each["difference"] for each in pairs]
    columns = [
        ("pair", [f"{each['a']} minus {each['b']}" for each in pairs]),
        ("difference of means (points)", [points(one["value"], (one["low"], one["high"])) for one in differences]),
        ("cells where the first is better", [each["a_better"] for each in pairs]),
        ("cells where the second is better", [each["b_better"] for each in pairs]),
    ]
    return Table("comparisons", "Differences of the means over corruptions, with 95 % intervals.", columns)


def _worst_cases(worst_case: Mapping, names: Sequence[str]) -> Table:
    positions, pairs = worst_case["positions"]["models"], worst_case["pairs"]
    columns: list = [
        ("model", names),
        ("correct at every position", [percent_estimate(positions[name], 1) for name in names]),
    ]
    if pairs:
        worst = [pairs["worst"][name] for name in names]
        columns += [
            ("mean over pairs", [percent(pairs["mean"][name], 1) for name in names]),
            ("correct under every pair", [percent_estimate(pairs["under_every_pair"][name], 1) for name in names]),
            ("worst pair", [", then ".join(each["pair"]) for each in worst]),
            ("accuracy there", [percent(each["accuracy"], 1) for each in worst]),
        ]
    return Table("worst_cases", "Worst cases, with 95 % intervals.", columns)


def summary_text(summary: dict) -> str:
    """The headline as a Markdown table, without empty columns."""
    rows = summary["headline"]
    columns = {
        "model": [f"`{row['model']}`" for row in rows],
        "clean": [percent_text(row["clean"]) for row in rows],
        "mean over corruptions": [percent_text(row["all"], interval=True) for row in rows],
        "MNIST-C levels": [percent_text(row["mnist_c"]) for row in rows],
        "unseen by all": [percent_text(row["unseen_by_all"]) for row in rows],
        "mCE": [percent_text(row["mce"]["mean_of_ratios"], places=0) for row in rows],
        "worst corruption": [f"{row['worst']} ({row['worst_accuracy']:.0%})" for row in rows],
    }
    if summary["worst_case"]:
        moved = summary["worst_case"]["positions"]["models"]
        columns["rotated and shifted"] = [percent_text(moved[row["model"]]) for row in rows]
    columns = {title: cells for title, cells in columns.items() if set(cells) != {"–"}}
    return markdown_table(list(columns), zip(*columns.values(), strict=True))


def amount_text(threshold: dict, last: float) -> tuple[str, str]:
    """The amount of a failure threshold and its interval as text, given the amount at the last severity."""
    severity, *bounds = threshold["severity"]
    if severity is None:
        return f"beyond {last:g}", ""
    amount, *limits = threshold["amount"]
    if None not in limits and 0 not in bounds:
        limits.sort()
    low, high = (
        "clean" if bound == 0 else "beyond" if limit is None else f"{limit:.3g}"
        for bound, limit in zip(bounds, limits, strict=True)
    )
    return f"{amount:.3g}", f"{low} – {high}"


def accurate_when_clean(summary: dict) -> list[str]:
    """The models that are accurate enough on clean digits to have failure thresholds."""
    return [row["model"] for row in summary["headline"] if row["clean"]["value"] >= ACCEPTABLE_ACCURACY]


def percent_text(estimate: dict | None, interval: bool = False, places: int = 2) -> str:
    """An estimate in per cent, with half the width of its interval if wanted; a dash for None."""
    if estimate is None:
        return "–"
    text = f"{100 * estimate['value']:.{places}f}%"
    return f"{text} ± {50 * (estimate['high'] - estimate['low']):.2f}" if interval else text
