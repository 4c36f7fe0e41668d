"""The tables of `docs/recognisers.md`, beside the studies' own: ablations, ensembles and benchmarks."""

from collections.abc import Mapping, Sequence

from digits.reporting.tables import markdown_table
from digits.studies.tables import MEASURES, differences


def changes(summary: Mapping) -> str:
    """The first variant's accuracies in Markdown, and below them what each other variant changes, in points."""
    first, found = next(iter(summary["variants"].items()))
    accuracies = [
        f"{one['value']:.2%} ({100 * one['low']:.2f} – {100 * one['high']:.2f})"
        for one in map(found["accuracy"].__getitem__, MEASURES)
    ]
    return markdown_table(("variant", *MEASURES.values()), [[first, *accuracies], *differences(summary)])


def ensembles(shipped: Sequence[Mapping]) -> str:
    """What the ensembles among the cards of the shipped models reach."""
    made = [
        [
            card["name"],
            str(len(card["members"])),
            f"{card['scores']['test']['accuracy']:.2%}",
            f"{card['parameters']:,}",
        ]
        for card in shipped
        if "members" in card
    ]
    return markdown_table(["ensemble", "members", "test accuracy", "parameters"], made)


def non_digits(measured: Mapping) -> str:
    """How well simple scores tell digits from other things, by model.

    Args:
        measured: of `benchmarks/non_digits.py`.
    """
    tables = []
    for model, scores in ((name, found) for name, found in measured.items() if name.startswith("mnist_")):
        kinds = next(iter(scores.values()))
        judged = [[kind, *(_judged(by[kind]) for by in scores.values())] for kind in kinds]
        tables.append(markdown_table([f"`{model}`", *scores], judged))
    return "\n\n".join(tables)


def _judged(found: Mapping) -> str:
    if "refused_at_95" in found:
        return f"{found['refused_at_95']:.1%} refused"
    return f"{found['auroc']:.3f} / {found['false_positive_rate_at_95']:.1%}"


def speed(measured: Mapping) -> str:
    """Seconds to an accuracy beside the peers, and how much of the processor's arithmetic training reaches.

    Args:
        measured: of `benchmarks/time_to_accuracy.py`.
    """
    names = list(next(iter(measured["seconds"].values())))
    to_targets = [
        [target, *("not reached" if seconds[name] is None else f"{seconds[name]:.0f} s" for name in names)]
        for target, seconds in measured["seconds"].items()
    ]
    to_finals = [
        [
            peer,
            f"{found['final_accuracy']:.2%}",
            f"{found['peer']:.0f} s",
            f"{found['train_cnn']:.0f} s",
            f"{found['ratio']:.2f}",
        ]
        for peer, found in measured["peers_final_accuracy"].items()
    ]
    limit = measured["arithmetic"]
    return "\n\n".join(
        [
            markdown_table(["validation accuracy", *names], to_targets),
            markdown_table(["peer", "its final accuracy", "its time to that", "`train_cnn.py`", "ratio"], to_finals),
            f"A training image takes {limit['megaflops_a_training_image']} million operations. This machine "
            f"multiplies {limit['precision']} matrices at {limit['matrix_product_gigaflops']:,} GFLOP/s; training "
            f"runs at {limit['training_images_a_second']:,} images/s, which is {limit['reached_gigaflops']:,} GFLOP/s "
            f"or {limit['share_of_the_limit']:.0%} of that.",
        ]
    )
