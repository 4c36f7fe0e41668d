"""The benchmark of methods: its ranking on made-up figures, and its figures against those of its parts."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import spearmanr

from digits import files, paths
from digits.checkpoints import recognizer
from digits.data import Digits
from digits.explanations import benchmark, counterfactual, faithfulness, randomisation, shapley
from digits.explanations.attribution import METHODS, ExportedModel, Method, explain, open_keras

WORKING = ("grad_cam", "saliency", "occlusion", "dice", "against")
SEED = 6
FIGURES = ("value", "low", "high")


def dice(model, ink: np.ndarray, weights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A method that throws dice, the same for all images."""
    return np.tile(rng.random((28, 28)), (len(ink), 1, 1))


def against(model, ink: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """A method that finds positive evidence for odd answers alone."""
    return np.where(weights.argmax(axis=1)[:, None, None] % 2, 1, -1) * ink[..., 0]


@pytest.fixture(scope="module")
def cnn() -> recognizer.Recognizer:
    return recognizer.load("mnist_cnn")


@pytest.fixture(scope="module")
def few(some_digits, cnn) -> Digits:
    """Two ones, whose ink is on few patches, another digit, four fours, a blend that is hard to read, and four others.

    The third is labelled 4, the fourth 9.
    """
    images, labels = some_digits.images, some_digits.labels
    ones, fours, others = (np.flatnonzero(each) for each in (labels == 1, labels == 4, (labels != 1) & (labels != 4)))
    blends = images[:500] // 2 + images[500:] // 2
    odd = [
        cnn.predict_proba(np.roll(blends, shift, axis=(1, 2))).argmax(axis=1) % 2 for shift in ((0, 0), (0, 1), (1, 0))
    ]
    blend = blends[(odd[0] != odd[1]) & (odd[0] != odd[2])][:1]
    before, after = [*ones[:2], others[0], *fours[:4]], others[1:5]
    told = np.array([1, 1, 4, 9, 4, 4, 4, 0, *labels[after]], np.uint8)
    return Digits(np.concatenate([images[before], blend, images[after]]), told)


@pytest.fixture(scope="module")
def answers(cnn, few) -> np.ndarray:
    answers = cnn.predict_proba(few.images).argmax(axis=1)
    assert answers[[0, 1, 3, 4, 5, 6]].tolist() == [1, 1, 4, 4, 4, 4]
    assert answers[2] != 4
    return answers


@contextmanager
def few_methods() -> Iterator[None]:
    """Few methods, seeds, stages and digits."""
    all_methods = dict(METHODS)
    made_up = {
        "dice": Method(title="Dice", function=dice, is_random=True),
        "against": Method(title="Against", function=against),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(benchmark, "STABILITY_DIGITS", 9)
        patch.setattr(benchmark, "SHAPLEY_DIGITS", 2)
        patch.setattr(benchmark, "RANDOMISATION_DIGITS", 3)
        patch.setattr(benchmark, "COUNTERFACTUAL_DIGITS", 2)
        patch.setattr(benchmark, "RANDOMISATION_PARAMETERS", {"occlusion": {"patch": 7, "stride": 7}})
        cascade = partial(randomisation.cascading_randomisation, seeds=(0, 1), stages=2)
        patch.setattr(randomisation, "cascading_randomisation", cascade)
        METHODS.clear()
        METHODS.update({name: (all_methods | made_up)[name] for name in WORKING})
        try:
            yield
        finally:
            METHODS.clear()
            METHODS.update(all_methods)


@pytest.fixture
def quick() -> Iterator[None]:
    with few_methods():
        yield


@pytest.fixture(scope="module")
def seen() -> list[list[str]]:
    """What the benchmark showed the progress of."""
    return []


@pytest.fixture(scope="module")
def found(cnn, few, seen) -> dict:
    def progress(names):
        seen.append(list(names))
        return names

    with few_methods():
        return benchmark.measure_model(cnn, few, SEED, progress)


@pytest.fixture(scope="module")
def maps(cnn, few, answers) -> dict[str, np.ndarray]:
    """The oracle's maps; those of the baseline in random order aren't known."""
    keras_model = open_keras(cnn.path)
    with few_methods():
        found = {name: explain(keras_model, few.images, name, answers, seed=SEED).signed for name in WORKING}
    return found | {"ink": few.images / 255}


def close(figures: dict, values: np.ndarray, tolerance: float = 1e-4) -> None:
    """An estimate is the values' mean, in an interval that is no wider than what they span."""
    assert tuple(figures) == FIGURES
    assert figures["value"] == pytest.approx(np.mean(values), abs=tolerance)
    assert np.min(values) - tolerance <= figures["low"] <= figures["high"] <= np.max(values) + tolerance


def test_every_method_and_baseline_has_every_figure_within_its_interval(found, seen):
    assert sorted(found) == ["checkpoint", "counterfactuals", "curves", "methods", "stages"]
    assert seen == [[*WORKING, "random", "ink"]]
    assert list(found["methods"]) == list(found["curves"]) == seen[0]
    ways = {f"{way} {filling}" for way in ("deletion", "insertion") for filling in faithfulness.FILLINGS}
    for name, figures in found["methods"].items():
        sane = {"randomisation"} if name in WORKING else set()
        assert set(figures) == ways | {"faithfulness", "sensitivity", "shapley", "stability", "evidence"} | sane
        for each in [*(figures[key] for key in figures if key != "randomisation"), *figures.get("randomisation", [])]:
            assert tuple(each) == FIGURES
            assert each["low"] - 1e-6 <= each["value"] <= each["high"] + 1e-6
    assert json.loads(json.dumps(found))["methods"] == found["methods"]


def test_faithfulness_is_the_mean_gap_between_insertion_and_deletion(found):
    for figures in found["methods"].values():
        gaps = [
            figures[f"insertion {filling}"]["value"] - figures[f"deletion {filling}"]["value"]
            for filling in ("paper", "ink", "inverted")
        ]
        assert figures["faithfulness"]["value"] == pytest.approx(sum(gaps) / 3, abs=1e-6)


def test_areas_are_those_under_the_mean_curves(found):
    for name, figures in found["methods"].items():
        assert list(found["curves"][name]) == list(faithfulness.FILLINGS)
        for filling, both in found["curves"][name].items():
            for way, curve in both.items():
                assert len(curve) == 29
                area = sum((left + right) / 2 for left, right in pairwise(curve)) / 28
                assert figures[f"{way} {filling}"]["value"] == pytest.approx(area, abs=1e-6)


def test_curves_are_those_of_the_models_own_answers(found, maps, cnn, few, answers, rng):
    # The order of this map is known, for it has no ties.
    assert len(np.unique(maps["dice"][0])) == 784
    places = faithfulness.ranks(maps["dice"], rng)
    for filling in faithfulness.FILLINGS:
        both = faithfulness.curves(ExportedModel(cnn), few.images, answers, places, filling)
        for way, curves in zip(("deletion", "insertion"), both, strict=True):
            np.testing.assert_allclose(found["curves"]["dice"][filling][way], curves.mean(axis=0), atol=1e-5)
            close(found["methods"]["dice"][f"{way} {filling}"], faithfulness.area(curves), 1e-5)


def test_evidence_is_the_share_of_maps_with_a_positive_part(found, maps, answers):
    for name, each in maps.items():
        close(found["methods"][name]["evidence"], [bool(np.any(one > 0)) for one in each], 1e-6)
    assert 0 < found["methods"]["against"]["evidence"]["value"] == np.mean(answers % 2) < 1


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("name", [*WORKING, "ink"])
def test_stability_and_agreement_with_shapley_values_are_those_of_the_maps(name, found, maps, cnn, few, answers):
    def explain_all(images):
        if name == "ink":
            return images / 255
        return explain(open_keras(cnn.path), images, name, answers[:9], seed=SEED).signed

    stability = faithfulness.stability(explain_all, few.images[:9], maps[name][:9])
    close(found["methods"][name]["stability"], stability, 1e-3)
    agreement = []
    for image, each, answer in zip(few.images[:2], maps[name], answers, strict=False):
        exact = shapley.exact_shapley(ExportedModel(cnn), image, np.eye(10)[answer])
        sums = each.reshape(4, 7, 4, 7).sum(axis=(1, 3))
        # Sums of float32 may be zero in one order and nearly zero in another, which changes their ranks.
        agreement.append(spearmanr(np.round(sums, 6).ravel(), exact.ravel()).statistic)
    close(found["methods"][name]["shapley"], agreement, 0.05)


def test_sensitivity_is_near_that_over_other_sets(found, maps, cnn, few, answers, rng):
    near = faithfulness.sensitivity(ExportedModel(cnn), few.images, answers, maps, rng)
    for name, values in near.items():
        # Each of 12 correlations, averaged over 3 sizes, spreads by less than 0.1.
        assert found["methods"][name]["sensitivity"]["value"] == pytest.approx(values.mean(), abs=0.1)
    assert abs(found["methods"]["random"]["sensitivity"]["value"]) < 0.1


def test_baselines_are_what_their_names_say(found):
    methods = found["methods"]
    assert abs(methods["random"]["stability"]["value"]) < 0.05
    assert methods["ink"]["stability"]["value"] == pytest.approx(1)
    assert methods["saliency"]["faithfulness"]["value"] > methods["random"]["faithfulness"]["value"]


@pytest.mark.usefixtures("quick")
def test_randomisation_is_that_of_the_first_digits_and_the_methods_own_parameters(found, cnn, few):
    parameters = {"occlusion": {"patch": 7, "stride": 7}}
    cascade = randomisation.cascading_randomisation(
        open_keras(cnn.path), few.images[:3], WORKING, parameters=parameters
    )
    assert found["stages"] == cascade.stages == ("logits", "convolution_1")
    for name, similarity in cascade.similarity.items():
        assert similarity.shape == (2, 2, 3)
        for figures, stage in zip(found["methods"][name]["randomisation"], similarity, strict=True):
            # Two seeds of a digit belong together.
            close(figures, stage.mean(axis=0), 1e-6)
    assert found["methods"]["dice"]["randomisation"][-1] == pytest.approx({"value": 1, "low": 1, "high": 1})
    assert abs(found["methods"]["saliency"]["randomisation"][-1]["value"]) < 0.5


def test_fours_that_are_read_as_fours_are_turned_into_nines(found, cnn, few):
    # Of those labelled 4 the first isn't read so, and one isn't labelled so; two of the others are enough.
    pixels = [int(counterfactual.find(ExportedModel(cnn), image, 9).changed.sum()) for image in few.images[4:6]]
    told = found["counterfactuals"]
    assert (told["target"], told["images"], told["found"]) == (9, 2, 2)
    assert (told["least"], told["median"], told["most"]) == (min(pixels), np.mean(pixels), max(pixels))
    assert told["random_orders"] == 10


def test_the_checkpoint_is_told_by_its_hash(found, cnn):
    assert found["checkpoint"] == files.sha256(paths.MODELS / "mnist_cnn.keras")


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_a_benchmark_is_decided_by_its_seed(cnn, few, monkeypatch):
    for name in set(WORKING) - {"occlusion", "dice"}:
        del METHODS[name]
    monkeypatch.setattr(benchmark, "SHAPLEY_DIGITS", 1)
    # What comes last shows that all that was drawn before was the same.
    monkeypatch.setattr(counterfactual, "compare_with_random_order", lambda model, images, target, rng: rng.random())
    digits = few.first(3)
    once, again, other = (benchmark.measure_model(cnn, digits, seed, list) for seed in (1, 1, 2))
    assert once == again
    assert once["counterfactuals"] != other["counterfactuals"]

    def values(measured, figure):
        return {name: figures[figure]["value"] for name, figures in measured["methods"].items()}

    for figure, drawn in (("sensitivity", {"occlusion", "dice", "random", "ink"}), ("stability", {"dice", "random"})):
        before, after = values(once, figure), values(other, figure)
        assert {name for name in before if before[name] != after[name]} == drawn


# The ranking


def figures(faithfulness: float, sensitivity: float = 0, shapley: float = 0, stability: float = 0, kept: float = 0):
    """A method's made-up figures. Earlier stages of parameter randomisation don't count."""
    named = {"faithfulness": faithfulness, "sensitivity": sensitivity, "shapley": shapley, "stability": stability}
    return {name: {"value": value} for name, value in named.items()} | {
        "randomisation": [{"value": 0.9 - abs(kept)}, {"value": kept}]
    }


def model(methods: dict[str, dict], random: float = 0.1, ink: float = 0.3) -> dict:
    baselines = {"random": figures(random, 9, 9, 9), "ink": figures(ink, 9, 9, 9)}
    for each in baselines.values():
        del each["randomisation"]
    return {"methods": methods | baselines}


def test_methods_are_ranked_by_the_mean_rank_of_four_figures():
    ranked = benchmark.rank(
        {
            "one": model(
                {
                    "grad_cam": figures(0.9, 0.1, 0.2, 0.3),
                    "score_cam": figures(0.5, 0.9, 0.9, 0.2),
                    "saliency": figures(0.8, 0.8, 0.3, 0.3),
                    "rise": figures(0.6, 0.7, 0.8, -0.9),
                }
            )
        }
    )
    assert list(ranked) == ["convolutional"]
    assert ranked["convolutional"]["models"] == ["one"]
    # Places by figure: score_cam 4 1 1 3; saliency 2 2 3 1.5; grad_cam 1 4 4 1.5; rise 3 3 2 4.
    expected = [("saliency", 8.5, 0.8), ("score_cam", 9, 0.5), ("grad_cam", 10.5, 0.9), ("rise", 12, 0.6)]
    assert ranked["convolutional"]["methods"] == [
        {
            "method": name,
            "rank": places / 4,
            "faithfulness": faithful,
            "passes_randomisation": True,
            "beats_baselines": True,
        }
        for name, places, faithful in expected
    ]


def test_methods_that_fail_or_are_no_better_than_a_baseline_come_last():
    methods = {
        "grad_cam": figures(0.9, 9, 9, 9, kept=0.5),
        "hires_cam": figures(0.8, 8, 8, 8, kept=-0.7),
        "score_cam": figures(0.3, 7, 7, 7),
        "saliency": figures(0.31, 5, 5, 5, kept=0.4999),
        "occlusion": figures(0.6, 4, 4, 4, kept=-0.4999),
        "rise": figures(0.2, 6, 6, 6, kept=0.6),
    }
    rows = benchmark.rank({"one": model(methods)})["convolutional"]["methods"]
    assert [(row["method"], row["passes_randomisation"], row["beats_baselines"]) for row in rows] == [
        ("saliency", True, True),
        ("occlusion", True, True),
        ("grad_cam", False, True),
        ("hires_cam", False, True),
        ("score_cam", True, False),
        ("rise", False, False),
    ]


def test_ranks_are_taken_on_every_model_and_checks_must_be_passed_on_all():
    ranked = benchmark.rank(
        {
            "two": model(
                {
                    "grad_cam": figures(0.5, 1, 1, 1),
                    "saliency": figures(0.9, 2, 2, 2, kept=0.6),
                    "occlusion": figures(0.2, 3, 3, 3),
                },
                random=0.6,
                ink=0.1,
            ),
            "one": model(
                {
                    "grad_cam": figures(0.3, 30, 30, 30),
                    "saliency": figures(0.9, 20, 20, 20),
                    "occlusion": figures(0.8, 10, 10, 10),
                },
                random=0.0,
                ink=0.8,
            ),
        }
    )["convolutional"]
    assert ranked["models"] == ["one", "two"]
    rows = {row["method"]: row for row in ranked["methods"]}
    # The baselines have 0.3 and 0.45 on average.
    for name, rank, faithful, passes, beats in (
        ("occlusion", (1 + 1 + 1 + 3 + 2 + 3 + 3 + 3) / 8, 0.5, True, True),
        ("saliency", (2 + 2 + 2 + 1 + 1 + 2 + 2 + 2) / 8, 0.9, False, True),
        ("grad_cam", (3 + 3 + 3 + 2 + 3 + 1 + 1 + 1) / 8, 0.4, True, False),
    ):
        assert rows[name] == {
            "method": name,
            "rank": rank,
            "faithfulness": pytest.approx(faithful),
            "passes_randomisation": passes,
            "beats_baselines": beats,
        }
    assert ranked["methods"][0]["method"] == "occlusion"


def test_models_without_convolutions_are_ranked_by_themselves_and_by_methods_that_work_on_all():
    some = figures(0.5)
    ranked = benchmark.rank(
        {
            "plain": model({"saliency": some, "occlusion": some}),
            "seeing": model({"grad_cam": some, "saliency": some}),
            "forest": model({"occlusion": some, "rise": some}),
        }
    )
    assert {kind: (each["models"], [row["method"] for row in each["methods"]]) for kind, each in ranked.items()} == {
        "convolutional": (["seeing"], ["grad_cam", "saliency"]),
        "dense": (["forest", "plain"], ["occlusion"]),
    }


def test_a_benchmark_holds_every_model_and_their_ranking(few, monkeypatch):
    made_up = {"a": model({"grad_cam": figures(0.6)}), "b": model({"rise": figures(0.6)})}
    asked = []

    def measure_model(recogniser, *others):
        asked.append((recogniser.name, *others))
        return made_up[recogniser.name]

    monkeypatch.setattr(benchmark, "measure_model", measure_model)
    found = benchmark.run([SimpleNamespace(name=name) for name in made_up], few, 3, list)
    assert asked == [("a", few, 3, list), ("b", few, 3, list)]
    assert found == {"digits": 12, "seed": 3, "models": made_up, "ranking": benchmark.rank(made_up)}
