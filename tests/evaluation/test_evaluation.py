"""Evaluation and its report against counts made by hand on real digits."""

import json
import re

import numpy as np
import pytest
import sklearn.metrics
from PIL import Image

from digits import data, evaluation
from digits.checkpoints.promises import Promise
from digits.evaluation import report


@pytest.fixture
def two(some_digits) -> list[evaluation.Evaluation]:
    """Two models with known mistakes: `good` misreads every twentieth digit by one, `bad` every fifth."""

    def answers(name: str, every: int) -> evaluation.Evaluation:
        answered = some_digits.labels.astype(int).copy()
        answered[::every] = (answered[::every] + 1) % 10
        probabilities = np.full((1000, 10), 0.02, np.float32)
        probabilities[np.arange(1000), answered] = 0.82
        return evaluation.Evaluation(name, some_digits, probabilities)

    return [answers("good", 20), answers("bad", 5)]


def test_scores_are_those_counted_by_hand(two, some_digits):
    good, bad = two
    assert good.scores()["correct"] == 950
    assert bad.scores()["correct"] == 800
    assert good.scores()["ece"] == pytest.approx(0.95 - 0.82, abs=1e-6)
    assert good.scores()["mean_confidence"] == pytest.approx(0.82)
    np.testing.assert_array_equal(
        bad.confusion, sklearn.metrics.confusion_matrix(some_digits.labels, bad.predictions, labels=range(10))
    )
    comparison = evaluation.pairwise_comparisons(two)["good", "bad"]
    # Every twentieth is also a fifth: bad alone misreads 150, good alone none.
    assert (comparison.only_a, comparison.only_b) == (150, 0)
    assert comparison.difference == pytest.approx(0.15)


def test_errors_are_ordered_by_confidence(some_digits, rng):
    probabilities = rng.dirichlet(np.ones(10), 1000).astype(np.float32)
    one = evaluation.Evaluation("random", some_digits, probabilities)
    errors = one.errors()
    assert set(errors) == set(np.flatnonzero(one.predictions != some_digits.labels))
    assert np.all(np.diff(one.confidence[errors]) <= 0)
    fours_as_nines = one.examples(4, 9)
    assert (some_digits.labels[fours_as_nines] == 4).all()
    assert (one.predictions[fours_as_nines] == 9).all()
    assert len(fours_as_nines) == one.confusion[4, 9]


@pytest.mark.slow
def test_report_is_whole_and_self_contained(two, tmp_path):
    page = report.write_evaluation(two, "a thousand digits", tmp_path, {})
    html = page.read_text(encoding="utf-8")
    assert "95.00 %" in html
    assert "80.00 %" in html
    assert set(re.findall('src="(.*?);', html)) == {f"data:image/{kind}" for kind in ("png", "webp", "svg+xml")}
    assert "http" not in html
    assert two[0].digits.sha256 in html

    results = json.loads((tmp_path / "results.json").read_text())
    assert results["models"]["good"]["scores"]["accuracy"] == 0.95
    assert len(results["models"]["bad"]["errors"]) == 200
    assert results["comparisons"][0]["only_a"] == 150
    # All answers are equally confident: all are given, or none.
    assert [each["value"] for each in results["models"]["good"]["selective"]["answered"]] == [0, 0]
    assert results["models"]["good"]["selective"]["augrc"] == pytest.approx(0.05 / 2)
    assert np.array(results["models"]["good"]["confusion"]).sum() == 1000
    assert sum(results["models"]["good"]["reliability"]["counts"]) == 1000

    for name in ("summary.txt", "label_map.txt", "reliability.png", "good/classification_report.txt"):
        assert (tmp_path / name).stat().st_size > 0
    for picture in tmp_path.rglob("*.png"):
        with Image.open(picture) as opened:
            opened.verify()
        assert picture.with_suffix(".pdf").read_bytes().startswith(b"%PDF")
    assert all((tmp_path / address).is_file() for address in re.findall('href="([^"]*pdf)"', html))
    assert "95.00%" in (tmp_path / "summary.txt").read_text()


def test_perfect_predictions_and_missing_classes_make_a_report_too(some_digits, tmp_path):
    threes = type(some_digits)(some_digits.images[some_digits.labels == 3], some_digits.labels[some_digits.labels == 3])
    one = evaluation.Evaluation("perfect", threes, np.eye(10, dtype=np.float32)[threes.labels])
    report.write_evaluation([one], "only threes", tmp_path, {})
    assert "No errors." in (tmp_path / "report.html").read_text()
    assert one.scores()["accuracy"] == 1.0


@pytest.mark.slow
def test_a_report_that_fails_leaves_the_earlier_page(two, tmp_path, monkeypatch):
    (tmp_path / "report.html").write_text("the earlier page")

    def broken(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(report, "write_figures", lambda *_: {})
    monkeypatch.setattr("digits.reporting.html.render", broken)
    with pytest.raises(OSError, match="No space left"):
        report.write_evaluation(two[:1], "later", tmp_path, {})
    assert (tmp_path / "report.html").read_text() == "the earlier page"
    assert not list(tmp_path.glob(".*"))


def test_errors_are_counted_by_writer_and_shown(two, tmp_path):
    """A hundred people wrote ten digits each; `bad` misreads two of everybody's, `good` one of every second one's."""
    writers = data.Writers(np.arange(1000) // 10, np.where(np.arange(1000) < 400, 0, 4))
    good, bad = (evaluation.ByWriter(one, writers) for one in two)
    everybody, census, students = bad.groups()
    assert [(each.digits, each.errors, len(each.rates)) for each in (everybody, census, students)] == [
        (1000, 200, 100),
        (400, 80, 40),
        (600, 120, 60),
    ]
    # Everybody is misread as often, so which people are drawn doesn't matter.
    assert (everybody.accuracy.low, everybody.accuracy.high) == pytest.approx((0.8, 0.8))
    assert (everybody.without_errors, everybody.worst) == (0, 0.2)
    everybody, *_ = good.groups()
    assert (everybody.without_errors, everybody.worst) == (0.5, 0.1)
    assert good.people[0].tolist() == [0, 0, 10, 1]
    np.testing.assert_array_equal(np.sort(bad.misread(3)), [30, 35])

    # Everybody's difference is 0.1 or 0.2, half of the people each: the mean of 100 such has a deviation of 0.005.
    difference = evaluation.differences_by_writer(two, writers)["good", "bad"]
    assert difference.value == pytest.approx(0.15)
    assert (difference.low, difference.high) == pytest.approx((0.15 - 1.96 * 0.005, 0.15 + 1.96 * 0.005), abs=0.002)

    html = report.write_evaluation(two, "a thousand digits", tmp_path, {}, writers).read_text(encoding="utf-8")
    assert html.count("Writer 0 (census employees): 2 of 10") == 1
    people = json.loads((tmp_path / "results.json").read_text())["models"]["bad"]["by_writer"]["people"]
    assert people[0] == {"writer": 0, "series": 0, "digits": 10, "errors": 2}
    assert "high-school students: 120 wrong of 600 digits by 60 people" in (tmp_path / "summary.txt").read_text()


def test_promises_are_checked_as_by_hand(two, some_digits, tmp_path):
    """Sure of all but 100 answers, of which `good` then misreads 45; its sets also have every other 0.02, or none."""
    good, bad = two
    probabilities = good.probabilities.copy()
    probabilities[:100] *= 0.9
    probabilities[:100] += 0.01
    for least, sizes in ((0.015, {1: 0, 10: 900}), (0.03, {1: 900, 10: 0})):
        promise = Promise(error_rate=0.05, sure_threshold=0.8, least_probability=least)
        one = evaluation.Evaluation("good", some_digits, probabilities, promise)
        assert one.is_sure.tolist() == [False] * 100 + [True] * 900
        assert {size: int(np.sum(one.sets[100:].sum(axis=1) == size)) for size in sizes} == sizes
        assert np.sum(~one.is_covered[100:]) == (45 if least == 0.03 else 0)
    writers = data.Writers(np.arange(1000) // 10, np.where(np.arange(1000) < 400, 0, 4))
    html = report.write_evaluation([one, bad], "a thousand digits", tmp_path, {}, writers).read_text(encoding="utf-8")
    results = json.loads((tmp_path / "results.json").read_text())["models"]["good"]
    assert (results["promise"]["sure"], results["promise"]["sure_but_wrong"]) == (900, 45)
    assert results["by_writer"]["groups"][0]["sure_but_wrong"]["value"] == 0.05
    assert re.search(r"wrong among them.*5.00 %.*yes", html, re.DOTALL)
    summary = (tmp_path / "summary.txt").read_text()
    assert summary.count("promised") == 1
    assert "promised at most 5.0% wrong: sure of 90.00%, 5.00% of these wrong; " in summary
    # What another model, without a card, is never said to promise.
    assert results["promise"]["error_rate"] == 0.05
    assert json.loads((tmp_path / "results.json").read_text())["models"]["bad"]["promise"] is None


def test_accuracies_by_raters_are_those_counted_by_hand(splits):
    """A model that is right except on the first four of MNIST's test digits, three of which are contested."""
    answers = splits.test.labels.astype(int)
    answers[:4] = 0, 5, 5, 5
    one = evaluation.Evaluation("good", splits.test, np.eye(10, dtype=np.float32)[answers])
    wrong = np.flatnonzero(~one.correct)
    assert wrong.tolist() == [0, 1, 2, 3]
    is_contested, labels = np.zeros(10_000, bool), splits.test.labels.astype(int)
    is_contested[[1, 2, 3]], labels[[1, 2, 3]] = True, (5, 6, -1)
    scores = one.scores_by_raters(data.Raters(is_contested, labels))
    assert {kind: (each["n"] - each["correct"], each["n"]) for kind, each in scores.items()} == {
        "as labelled": (4, 10_000),
        "without 3 contested labels": (1, 9_997),
        "with corrected labels": (2, 9_999),
    }
