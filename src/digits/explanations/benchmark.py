"""The benchmark of attribution methods: how faithful each is, measured on the same digits, with intervals."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict

import numpy as np
from scipy.stats import rankdata

from digits import files
from digits.checkpoints.recognizer import Recognizer
from digits.data import Digits
from digits.explanations import counterfactual, faithfulness, randomisation, shapley
from digits.explanations.attribution import METHODS, ExplainableModel, explain, open_keras, open_model, working_methods
from digits.images import to_input
from digits.metrics import intervals

BASELINES = {"random": "Random order", "ink": "The ink itself"}
TITLES = {name: method.title for name, method in METHODS.items()} | BASELINES
# The figures by which methods are ranked; higher is better.
RANKING = ("faithfulness", "sensitivity", "shapley", "stability")
# Slow figures use fewer digits: they need four more maps each, all coalitions of patches, or maps of 30 randomised
# networks.
STABILITY_DIGITS = 250
SHAPLEY_DIGITS = 100
RANDOMISATION_DIGITS = 30
COUNTERFACTUAL_DIGITS = 50
RANDOMISATION_PARAMETERS = {"rise": {"masks": 300}}
# A map that keeps a higher correlation when all weights are randomised explains the image, not the model.
RANDOMISATION_LIMIT = 0.5


def run(recognisers: Sequence[Recognizer], digits: Digits, seed: int, progress: Callable[[Iterable], Iterable]) -> dict:
    """Measure all methods that work on each model, and two baselines, on the same digits.

    Args:
        recognisers: networks, because parameter randomisation needs weights to change.
        progress: wraps the list of methods, as `tqdm` does.

    Returns:
        The number of `digits`, the `seed`, `models` by name as `measure_model` returns them, and the `ranking`, as
        `rank` returns it.
    """
    models = {each.name: measure_model(each, digits, seed, progress) for each in recognisers}
    return {"digits": len(digits), "seed": seed, "models": models, "ranking": rank(models)}


def measure_model(recogniser: Recognizer, digits: Digits, seed: int, progress: Callable[[Iterable], Iterable]) -> dict:
    """Measure the methods on one model, explaining its own answers.

    Returns:
        `checkpoint`: the file's SHA-256. `methods`: by method its figures, each with `value`, `low` and `high`:
        `deletion FILLING`, `insertion FILLING`, `faithfulness` (insertion minus deletion, averaged over the fillings),
        `sensitivity`, `shapley`, `stability`, `evidence` (the share of digits with positive evidence), and a list by
        stage of parameter `randomisation`. `curves`: mean probabilities by method and filling. `stages`: the layers of
        the randomisation. `counterfactuals`: the pixels that turn a 4 into a 9.
    """
    quick = open_model(recogniser, "occlusion")
    methods = working_methods(quick)
    rng = np.random.default_rng(seed)
    targets = quick.logits(to_input(digits.images)).argmax(axis=1)
    maps, figures, curves = {}, {}, {}
    for name in progress([*methods, *BASELINES]):
        explain_images = _explainer(recogniser, name, targets, seed, rng)
        maps[name] = explain_images(digits.images)
        figures[name], curves[name] = _fillings(quick, digits.images, targets, faithfulness.ranks(maps[name], rng))
        figures[name]["evidence"] = (maps[name] > 0).any(axis=(1, 2))
        figures[name]["stability"] = faithfulness.stability(
            explain_images, digits.images[:STABILITY_DIGITS], maps[name]
        )
    for name, values in faithfulness.sensitivity(quick, digits.images, targets, maps, rng).items():
        figures[name]["sensitivity"] = values
    for name, values in _agreement_with_shapley(quick, digits.images[:SHAPLEY_DIGITS], targets, maps).items():
        figures[name]["shapley"] = values

    found: dict[str, dict] = {name: _estimates(values, seed) for name, values in figures.items()}
    assert recogniser.network
    cascade = randomisation.cascading_randomisation(
        open_keras(recogniser.network),
        digits.images[:RANDOMISATION_DIGITS],
        methods,
        parameters=RANDOMISATION_PARAMETERS,
    )
    for name, similarity in cascade.similarity.items():
        # The bootstrap resamples digits, so the seeds are averaged first.
        found[name]["randomisation"] = [asdict(intervals.bootstrap_estimate(each.mean(axis=0))) for each in similarity]
    fours = digits.images[(digits.labels == 4) & (targets == 4)][:COUNTERFACTUAL_DIGITS]
    return {
        "checkpoint": files.sha256(recogniser.path),
        "methods": found,
        "curves": curves,
        "stages": cascade.stages,
        "counterfactuals": counterfactual.compare_with_random_order(quick, fours, 9, rng),
    }


def rank(models: dict[str, dict]) -> dict[str, dict]:
    """Rank the methods that work on all models with convolutions, and those that work on all without.

    Methods that pass parameter randomisation on every model and are more faithful than both baselines come first, in
    the order of their mean rank over four figures and all models. No figure decides alone: each has a blind spot.

    Args:
        models: by name as `measure_model` returns them.

    Returns:
        For `convolutional` and `dense` models: the names of the `models`, and for each of their `methods` its name, its
        mean `rank`, its mean `faithfulness`, whether it `passes_randomisation`, and whether it `beats_baselines`.
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
            "rank": float(ranks[index]),
            "faithfulness": float(np.mean(values(name, "faithfulness"))),
            "passes_randomisation": all(
                abs(each[name]["randomisation"][-1]["value"]) < RANDOMISATION_LIMIT for each in models
            ),
            "beats_baselines": bool(np.mean(values(name, "faithfulness")) > to_beat),
        }
        for index, name in enumerate(names)
    ]
    return sorted(rows, key=lambda row: (not (row["passes_randomisation"] and row["beats_baselines"]), row["rank"]))


def _explainer(
    recogniser: Recognizer, name: str, targets: np.ndarray, seed: int, rng: np.random.Generator
) -> Callable[[np.ndarray], np.ndarray]:
    """A function from images to signed maps, by a method or a baseline."""
    if name == "random":
        return lambda images: faithfulness.random_maps(images, rng)
    if name == "ink":
        return faithfulness.ink_maps
    model = open_model(recogniser, name)
    return lambda images: explain(model, images, name, targets[: len(images)], seed=seed).signed


def _fillings(
    model: ExplainableModel, images: np.ndarray, targets: np.ndarray, pixel_ranks: np.ndarray
) -> tuple[dict, dict]:
    """The figures and the curves of deletion and insertion, with each filling."""
    figures, curves = {}, {}
    difference = np.zeros(len(images))
    for filling in faithfulness.FILLINGS:
        deletion, insertion = faithfulness.curves(model, images, targets, pixel_ranks, filling)
        figures[f"deletion {filling}"] = faithfulness.area(deletion)
        figures[f"insertion {filling}"] = faithfulness.area(insertion)
        curves[filling] = {"deletion": deletion.mean(axis=0).tolist(), "insertion": insertion.mean(axis=0).tolist()}
        difference += figures[f"insertion {filling}"] - figures[f"deletion {filling}"]
    return figures | {"faithfulness": difference / len(faithfulness.FILLINGS)}, curves


def _agreement_with_shapley(
    model: ExplainableModel, images: np.ndarray, targets: np.ndarray, maps: dict
) -> dict[str, np.ndarray]:
    """By method, Spearman's correlation, (N,), of the map's sums over 16 patches with their exact Shapley values."""
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
