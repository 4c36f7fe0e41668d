"""Which attribution method tells best what a model looks at: every method on the same digits, with intervals."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict

import numpy as np
from scipy.stats import rankdata

from digits import files
from digits.checkpoints.recognizer import Recognizer
from digits.data import Digits
from digits.explanations import counterfactual, faithfulness, randomisation, shapley
from digits.explanations.attribution import METHODS, explain, open_keras, open_model, working_methods
from digits.images import to_input
from digits.metrics import intervals

BASELINES = {"random": "Random order", "ink": "The ink itself"}
# What methods are ranked by: higher is better.
RANKING = ("faithfulness", "sensitivity", "shapley", "stability")
# Slow figures are taken on fewer digits: four more maps each, all coalitions of patches, and maps of thirty randomised
# networks.
STABILITY_DIGITS = 250
SHAPLEY_DIGITS = 100
SANITY_DIGITS = 30
COUNTERFACTUAL_DIGITS = 50
SANITY_PARAMETERS = {"rise": {"masks": 300}}
# A method that keeps more than half of its map when the network has lost all that it learned explains the image.
SANITY_LIMIT = 0.5


def study(
    recognisers: Sequence[Recognizer], digits: Digits, seed: int, progress: Callable[[Iterable], Iterable]
) -> dict:
    """Judge all methods that work on each model, and two baselines, on the same digits.

    Args:
        recognisers: networks; the sanity check needs weights that it can change.
        progress: wraps the list of methods, as `tqdm` does.

    Returns:
        `models`: by name what `study_model` gives; `ranking`, as `rank` gives it.
    """
    models = {each.name: study_model(each, digits, seed, progress) for each in recognisers}
    return {"digits": len(digits), "seed": seed, "models": models, "ranking": rank(models)}


def study_model(recogniser: Recognizer, digits: Digits, seed: int, progress: Callable[[Iterable], Iterable]) -> dict:
    """Judge the methods on one model, for its own answers.

    Returns:
        `checkpoint`: the file's SHA-256. `methods`: by method its figures, each with `value`, `low` and `high`:
        `deletion FILLING`, `insertion FILLING`, `faithfulness` (insertion minus deletion, averaged over the fillings),
        `sensitivity`, `shapley`, `stability`, and `evidence` (the share of digits with a positive part); and `sanity`,
        a list by stage. `curves`: mean probabilities by method and filling. `stages` of the sanity check.
        `counterfactuals`: what turns a 4 into a 9.
    """
    quick = open_model(recogniser, "occlusion")
    methods = working_methods(quick)
    rng = np.random.default_rng(seed)
    targets = quick.logits(to_input(digits.images)).argmax(axis=1)
    maps, figures, curves = {}, {}, {}
    for name in progress([*methods, *BASELINES]):
        explaining = _explainer(recogniser, name, targets, seed, rng)
        maps[name] = explaining(digits.images)
        figures[name], curves[name] = _fillings(quick, digits.images, targets, faithfulness.ranks(maps[name], rng))
        figures[name]["evidence"] = (maps[name] > 0).any(axis=(1, 2))
        figures[name]["stability"] = faithfulness.stability(explaining, digits.images[:STABILITY_DIGITS], maps[name])
    for name, values in faithfulness.sensitivity(quick, digits.images, targets, maps, rng).items():
        figures[name]["sensitivity"] = values
    for name, values in _agreement_with_shapley(quick, digits.images[:SHAPLEY_DIGITS], targets, maps).items():
        figures[name]["shapley"] = values

    found = {name: _estimates(values, seed) for name, values in figures.items()}
    cascade = randomisation.cascading_randomisation(
        open_keras(recogniser.path), digits.images[:SANITY_DIGITS], methods, parameters=SANITY_PARAMETERS
    )
    for name, similarity in cascade.similarity.items():
        # Digits are drawn again; the seeds of one digit belong together.
        found[name]["sanity"] = [asdict(intervals.bootstrap_estimate(each.mean(axis=0))) for each in similarity]
    fours = digits.images[(digits.labels == 4) & (targets == 4)][:COUNTERFACTUAL_DIGITS]
    return {
        "checkpoint": files.sha256(recogniser.path),
        "methods": found,
        "curves": curves,
        "stages": cascade.stages,
        "counterfactuals": counterfactual.compare_with_random_order(quick, fours, 9, rng),
    }


def rank(models: dict[str, dict]) -> dict[str, dict]:
    """The methods that work on all models with convolutions, and on all without, the method to use first.

    That is the one with the best mean rank over four figures and all models, of those that pass the sanity check on
    every model and are more faithful than both baselines. No figure decides alone: each has its own blind spot.

    Args:
        models: by name what `study_model` gives.

    Returns:
        For `convolutional` and `dense` models: the `models`' names, and for each of their `methods` its name, its mean
        `rank`, its mean `faithfulness`, whether it `passes` the sanity check, and whether it `beats` both baselines.
    """
    convolutional = {name for name, each in models.items() if "grad_cam" in each["methods"]}
    kinds = {"convolutional": sorted(convolutional), "dense": sorted(models.keys() - convolutional)}
    return {
        kind: {"models": names, "methods": _ranked([models[name]["methods"] for name in names])}
        for kind, names in kinds.items()
        if names
    }


def _ranked(models: Sequence[dict]) -> list[dict]:
    names = [name for name in METHODS if all(name in each for each in models)]

    def values(method: str, figure: str) -> list[float]:
        return [each[method][figure]["value"] for each in models]

    table = np.array([[value for figure in RANKING for value in values(name, figure)] for name in names])
    ranks = rankdata(-table, axis=0).mean(axis=1)
    to_beat = max(np.mean(values(name, "faithfulness")) for name in BASELINES)
    rows = [
        {
            "method": name,
            "rank": float(ranks[place]),
            "faithfulness": float(np.mean(values(name, "faithfulness"))),
            "passes": all(abs(each[name]["sanity"][-1]["value"]) < SANITY_LIMIT for each in models),
            "beats": bool(np.mean(values(name, "faithfulness")) > to_beat),
        }
        for place, name in enumerate(names)
    ]
    return sorted(rows, key=lambda row: (not (row["passes"] and row["beats"]), row["rank"]))


def _explainer(
    recogniser: Recognizer, name: str, targets: np.ndarray, seed: int, rng: np.random.Generator
) -> Callable[[np.ndarray], np.ndarray]:
    """Images to signed maps, by a method or a baseline."""
    if name == "random":
        return lambda images: faithfulness.random_maps(images, rng)
    if name == "ink":
        return faithfulness.ink_maps
    model = open_model(recogniser, name)
    return lambda images: explain(model, images, name, targets[: len(images)], seed=seed).signed


def _fillings(model, images: np.ndarray, targets: np.ndarray, places: np.ndarray) -> tuple[dict, dict]:
    figures, curves = {}, {}
    difference = np.zeros(len(images))
    for filling in faithfulness.FILLINGS:
        deletion, insertion = faithfulness.curves(model, images, targets, places, filling)
        figures[f"deletion {filling}"] = faithfulness.area(deletion)
        figures[f"insertion {filling}"] = faithfulness.area(insertion)
        curves[filling] = {"deletion": deletion.mean(axis=0).tolist(), "insertion": insertion.mean(axis=0).tolist()}
        difference += figures[f"insertion {filling}"] - figures[f"deletion {filling}"]
    return figures | {"faithfulness": difference / len(faithfulness.FILLINGS)}, curves


def _agreement_with_shapley(model, images: np.ndarray, targets: np.ndarray, maps: dict) -> dict[str, np.ndarray]:
    """Spearman's correlation, (N,), of each method's sums over 16 patches with their exact Shapley values."""
    classes = np.eye(10, dtype=np.float32)
    exact = np.stack(
        [shapley.exact_shapley(model, image, classes[target]) for image, target in zip(images, targets, strict=False)]
    )
    return {
        name: intervals.correlations(shapley.patch_sums(each[: len(images)]), exact, of_ranks=True)
        for name, each in maps.items()
    }


def _estimates(figures: dict[str, np.ndarray], seed: int) -> dict[str, dict]:
    return {name: asdict(intervals.bootstrap_estimate(values, seed=seed)) for name, values in figures.items()}
