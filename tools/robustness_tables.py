"""The tables of a corruption sweep, and of the people behind the digits, as the page `docs/results.md`."""

from collections.abc import Mapping

from digits.reporting.tables import markdown_table
from digits.robustness.tables import accurate_when_clean, amount_text, percent_text, summary_text

RESULTS = """\
# Results

The corruption sweep was made by `make robustness` from the shipped checkpoints on {count} of MNIST's test digits, seed
{seed}. ± is half the width of a 95 % interval. [methods.md](methods.md) defines the measures. The sweep dates from
before seven corruptions were corrected to match MNIST-C's generator; [robustness.md](robustness.md#the-shipped-models)
says which.

## All models

{headline}

![Mean accuracy of every model under every corruption](robustness/heat_map.png)

## How accuracy falls

![Accuracy of every model by the amount of each corruption](robustness/curves.png)

The dotted line is 95 %, the blue band MNIST-C's own level.

## Corruption errors relative to `{baseline}`

{relative}

## MNIST-C's corruptions at its own levels

{mnist_c}

## Where accuracy falls below 95 %

The amount of each corruption, with its 95 % interval, for the models that are above 95 % on clean digits.

| corruption | unit | {accurate} |
{rule}
{thresholds}

## Samples of all corruptions

![A digit under every corruption and severity](robustness/samples.png)

## By writer

Accuracy on all 10,000 clean test digits by the people who wrote them, with 95 % intervals over writers. *Worst tenth*
is the error rate of the tenth of the people with the highest rates. The last two columns check the
[promises](methods.md#confidence-and-calibration): the share of the sure answers that is wrong, and of the prediction
sets that misses the true digit. Where none is wrong, the interval is Wilson's over digits; "–": never sure.
`make benchmark NAME=people WRITERS=FOLDER RATERS=FILE` repeats this and the next table.

{writers}

## Contested labels

Accuracy on the same digits with their labels as they are, without the labels that fewer than three of five raters
confirmed, and with labels corrected where three agreed on another digit, without the few digits on which no three did
(Northcutt, Athalye and Mueller 2021).

{raters}
"""


def results_text(summary: dict, people: Mapping) -> str:
    """The page, from a sweep's `summary.json` and what `benchmarks/people.py` measured."""
    by_model = dict(sorted(people["models"].items(), key=lambda each: -each[1]["by_raters"]["as labelled"]["accuracy"]))
    names = [row["model"] for row in summary["headline"]]
    accurate = accurate_when_clean(summary)
    relative = [
        [
            f"`{row['model']}`",
            *(
                percent_text(row[kind][average], interval=True, places=1)
                for kind in ("mce", "relative_mce")
                for average in ("mean_of_ratios", "ratio_of_means")
            ),
        ]
        for row in summary["headline"]
    ]
    mnist_c = [
        [name, *(f"{100 * scores[model]:.2f}%" for model in names)] for name, scores in summary["mnist_c"].items()
    ]
    thresholds = []
    for row in summary["thresholds"]:
        texts = [amount_text(row["models"][name], row["last"]) for name in accurate]
        cells = [f"{text} ({interval})" if interval else text for text, interval in texts]
        thresholds.append(f"| {row['corruption']} | {row['unit']} | {' | '.join(cells)} |")
    return RESULTS.format(
        count=f"{summary['images']:,}",
        seed=summary["seed"],
        baseline=summary["baseline"],
        headline=summary_text(summary),
        relative=markdown_table(
            ["model", "mCE, mean of ratios", "ratio of means", "relative mCE, mean of ratios", "ratio of means"],
            relative,
        ),
        mnist_c=markdown_table(["corruption", *(f"`{name}`" for name in names)], mnist_c),
        accurate=" | ".join(f"`{name}`" for name in accurate),
        rule="| --- | --- |" + " ---: |" * len(accurate),
        thresholds="\n".join(thresholds),
        writers=_by_writer(by_model),
        raters=_by_raters(by_model),
    )


def _by_writer(models: Mapping) -> str:
    rows = [
        [
            f"`{name}`",
            group["name"],
            str(group["people"]),
            f"{group['errors']} of {group['digits']:,}",
            _with_bounds(group["accuracy"]),
            f"{group['without_errors']:.0%}",
            f"{group['worst']:.2%}",
            _with_bounds(group["sure_but_wrong"]),
            _with_bounds(group["not_covered"]),
        ]
        for name, found in models.items()
        for group in found["by_writer"]
    ]
    scores = [
        "errors",
        "accuracy",
        "without errors",
        "worst tenth",
        "wrong among sure answers",
        "sets without the digit",
    ]
    return markdown_table(["model", "series", "writers", *scores], rows)


def _by_raters(models: Mapping) -> str:
    kinds = next(iter(models.values()))["by_raters"]
    rows = [
        [f"`{name}`", *(f"{found['by_raters'][kind]['accuracy']:.2%}" for kind in kinds)]
        for name, found in models.items()
    ]
    return markdown_table(["model", *kinds], rows)


def _with_bounds(estimate: Mapping | None) -> str:
    if estimate is None:
        return "–"
    return f"{estimate['value']:.2%} ({100 * estimate['low']:.2f} – {100 * estimate['high']:.2f})"
