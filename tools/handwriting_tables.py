"""The benchmarks on handwriting as Markdown tables and a figure."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from digits.reporting.figures import BLUE, GREY, single
from digits.reporting.tables import markdown_table


def preprocessing(results: Mapping) -> str:
    """Error rates by preprocessing and source, and the time that the shipped preprocessing takes.

    Args:
        results: `benchmarks/results/preprocessing.json`.
    """
    sizes = results["n"]
    rows = [
        [way, *(_errors(wrong[source], sizes[source]) for source in sizes)] for way, wrong in results["wrong"].items()
    ]
    round_trip = {name: wrong for name, wrong in results["round_trip"].items() if name != "n"}
    all_digits = [[name, _errors(wrong, results["round_trip"]["n"])] for name, wrong in round_trip.items()]
    kinds = list(next(iter(results["mock_pages_wrong"].values())))
    by_kind = [
        [
            kind,
            *(
                _errors(wrong[kind], sizes["mock pages"] // len(kinds))
                for wrong in results["mock_pages_wrong"].values()
            ),
        ]
        for kind in kinds
    ]
    milliseconds = results["milliseconds"]
    return "\n\n".join(
        [
            markdown_table(
                ["preprocessing", *(f"{source} ({size:,})" for source, size in sizes.items())],
                rows,
            ),
            "Error rates in percent: `mnist_advanced` / `mnist_cnn`. By kind of mock page:",
            markdown_table(["mock pages", *results["mock_pages_wrong"]], by_kind),
            f"The shipped preprocessing on all {results['round_trip']['n']:,} of MNIST's test digits:",
            markdown_table(["test digits", "error rate"], all_digits),
            f"The shipped preprocessing takes {milliseconds['canvas_280']:.1f} ms for a canvas of 280×280 pixels, and "
            f"{milliseconds['photo_12_megapixels']:.0f} ms for a photo of 12 megapixels, from its JPEG file.",
        ]
    )


def finetuning(results: Mapping) -> str:
    """The gain on a writer's held-out digits and the cost on MNIST, by the number of samples of each digit.

    Args:
        results: `benchmarks/results/finetuning.json`; "people" may be missing.
    """
    writers = results["imagined_writers"]
    judged, names = writers["judged_digits"], len(writers["runs"]) // len(writers["by_samples"])
    header = [
        "samples of each digit",
        "error rate before, %",
        "after, %",
        "errors remaining",
        f"of {names} writers: errors halved / more errors",
        "points lost on MNIST (maximum)",
        "seconds (maximum)",
    ]
    rows = [
        [
            samples,
            f"{100 * row['wrong_before'] / judged:.1f}",
            f"{100 * row['wrong_after'] / judged:.1f}",
            f"{row['ratio_of_errors']:.0%}",
            f"{row['writers_halved']} / {row['writers_worse']}",
            f"{row['mnist_points_lost']:z.2f} ({row['mnist_points_lost_at_most']:.2f})",
            f"{row['seconds']:.0f} ({row['seconds_at_most']:.0f})",
        ]
        for samples, row in writers["by_samples"].items()
    ]
    table = markdown_table(header, rows)
    if "people" not in results:
        return table
    return f"{table}\n\n{_people(results['people'], writers['mnist_test_wrong_before'])}"


def corrections(results: Mapping) -> str:
    """What corrections gain on a person's further digits and cost on MNIST, by model, source and their number.

    Args:
        results: `benchmarks/results/corrections.json`.
    """
    header = [
        "model and digits",
        "misread without corrections",
        "errors left on the rest after 1 correction",
        *(f"after {count}" for count in ("3", "10")),
        "errors while correcting",
        "fewer errors / more errors",
        "points lost on MNIST (maximum)",
        "seconds (maximum)",
    ]
    rows = []
    for name, found in results["models"].items():
        for source, group in (each for each in found.items() if each[0] != "seconds"):
            by_count = group["by_corrections"]
            whole, runs = by_count["all"], by_count["all"]["runs"]
            seconds = found["seconds"] if source == "forms" else None
            rows.append(
                [
                    f"{name}, {source}",
                    f"{group['misread']} of {group['digits']:,}",
                    *(_left(by_count[count]) for count in ("1", "3", "10")),
                    f"{whole['share_of_errors_left']:.0%}",
                    f"{whole['runs_with_fewer_errors'] / runs:.0%} / {whole['runs_with_more_errors'] / runs:.0%}",
                    f"{whole['mnist_points_lost']:z.3f} ({whole['mnist_points_lost_at_most']:.2f})",
                    f"{seconds['median']:.2f} ({seconds['maximum']:.2f})" if seconds else "",
                ]
            )
    return markdown_table(header, rows)


def _left(row: Mapping) -> str:
    return f"{row['rest_after'] / row['rest_before']:.0%}" if row["rest_before"] else "–"


def errors_by_samples(writers: Mapping) -> Figure:
    """Percent of their held-out digits misread, by how many samples of each digit were learnt: writers, and their mean.

    Args:
        writers: `imagined_writers` of the results of `benchmarks/finetuning.py`.
    """
    figure, axis = single(8, 3.6)
    sizes = [0, *map(int, writers["by_samples"])]
    wrong = []
    for name in dict.fromkeys(run["writer"] for run in writers["runs"]):
        runs = [run for run in writers["runs"] if run["writer"] == name]
        wrong.append([runs[0]["wrong_before"], *(run["wrong_after"] for run in runs)])
    wrong = 100 * np.array(wrong).T / writers["judged_digits"]
    one, *_ = axis.plot(wrong, color=GREY, alpha=0.35, linewidth=1)
    (mean,) = axis.plot(wrong.mean(axis=1), "o-", color=BLUE, linewidth=2)
    axis.set(xlabel="samples of each digit", ylabel="held-out digits misread (%)", ylim=(0, None))
    axis.set_xticks(range(len(sizes)), ["none: the base", *map(str, sizes[1:])])
    axis.legend([mean, one], [f"mean of {wrong.shape[1]} writers", "one of them"], frameon=False)
    return figure


def _people(rows: Sequence[Mapping], mnist_wrong_before: int) -> str:
    learnt, judged, before, after = (
        sum(row[name] for row in rows) for name in ("learnt", "judged", "wrong_before", "wrong_after")
    )
    lost = (np.array([row["mnist_wrong_after"] for row in rows]) - mnist_wrong_before) / 100
    return (
        f"{len(rows)} people, fine-tuned on about one sample of each digit ({learnt} in all): of their {judged} other "
        f"digits, {before} were misread before and {after} after. Accuracy on MNIST's test digits dropped by "
        f"{lost.mean():z.2f} points on average, {lost.max():z.2f} at most."
    )


def _errors(wrong: Mapping[str, int], count: int) -> str:
    decimals = 2 if count >= 1000 else 1
    return " / ".join(f"{100 * errors / count:.{decimals}f}" for errors in wrong.values())
