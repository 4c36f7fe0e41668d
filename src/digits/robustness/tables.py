"""A sweep's summary as Markdown tables, for the terminal and the docs."""

from digits.reporting.tables import markdown_table
from digits.robustness.analysis import ACCEPTABLE_ACCURACY


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
