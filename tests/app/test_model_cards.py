"""Models, without a browser: cards as they are written, curves as they were measured, errors as they are made."""

import json
import re

import numpy as np
import pytest
from streamlit.delta_generator import DeltaGenerator

from digits import metrics, paths
from digits.checkpoints import recognizer
from panels import cache
from panels.cache import Model
from panels.models import charts, summary, sweeps
from tests.app.apptest import (
    SHIPPED,
    Page,
    borrow_models,
    chart,
    in_percent,
    paths_in,
    rows,
    words,
)


@pytest.fixture
def at(monkeypatch, few_test_digits) -> Page:
    return Page(monkeypatch).show("Models")


@pytest.fixture
def of_one(at) -> Page:
    """The classroom's simplest model alone, which makes many errors."""
    return at.set(model="mnist_logistic", compared_models=["mnist_logistic"], chart="Errors")


def listed(at: Page) -> dict[str, list[str]]:
    """By the name of each model in the list: its line and its figures."""
    found = {}
    for row in rows(at.find("table", "cards")):
        head, *figures = row
        found[head.text] = [words(head.find("small")), *map(words, figures)]
    return found


def test_models_are_listed_by_accuracy_with_what_their_cards_say(at):
    found = listed(at)
    cards = {name: json.loads((paths.MODELS / f"{name}.json").read_text()) for name in found}
    correct = [card["scores"]["test"]["correct"] for card in cards.values()]
    assert correct == sorted(correct, reverse=True)
    assert set(SHIPPED) <= set(found)
    for name, (line, *figures) in found.items():
        test, seconds = cards[name]["scores"]["test"], cards[name]["training"]["seconds"]
        took = "under 1 s" if seconds < 1 else f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
        low, high = (f"{100 * end:.2f}" for end in test["interval"])
        expected = [f"{low} – {high} %", f"{100 * test['ece']:.2f} %", f"{cards[name]['parameters']:,}", took]
        assert figures == expected
        assert re.fullmatch(rf".+ · {test['correct'] / 100:.2f} % · (< 0\.1|\d+\.\d) ms", line)


def test_a_models_line_says_what_it_is_best_at(at):
    lines = {name: line for name, (line, *_) in listed(at).items()}
    summary = json.loads((paths.ROOT / "docs" / "robustness" / "summary.json").read_text())
    sturdiest = max(summary["headline"], key=lambda each: each["all"]["value"])["model"]
    titles = {"Most accurate": "mnist_ensemble", "Best on damaged pages": sturdiest, "Smallest": "digits_8x8_logistic"}
    for title, name in titles.items():
        assert [each for each, line in lines.items() if line.startswith(title)] == [name]
    assert lines["mnist_mlp"].startswith("Classroom network · ")


def test_a_model_that_was_trained_anew_since_the_sweep_is_not_called_the_best(tmp_path, monkeypatch):
    folder = borrow_models(monkeypatch, tmp_path, "mnist_advanced", "mnist_logistic", "mnist_mlp")
    assert "best on damaged pages" in summary.line("mnist_advanced")
    card = json.loads((folder / "mnist_advanced.json").read_text())
    card["checkpoint"]["sha256"] = "of another file"
    (folder / "mnist_advanced.json").write_text(json.dumps(card))
    assert sweeps.accuracy_when_damaged(card) is None
    assert "Best on damaged pages" in summary.line("mnist_mlp")


def test_the_chosen_model_comes_first_beside_the_cnn(at):
    assert at.app.multiselect(key="compared_models").value == ["mnist_advanced", "mnist_cnn"]


def test_without_a_choice_it_asks_for_one(at):
    assert "Choose a model." in at.set(compared_models=[]).captions


@pytest.mark.parametrize("kind", ["keras", "h5", "onnx"])
def test_a_model_without_a_card_is_listed_with_the_command_that_evaluates_it(kind, at, tmp_path, monkeypatch):
    folder = borrow_models(monkeypatch, tmp_path, "mnist_logistic")
    (folder / f"my model.{kind}").write_bytes(b"not opened before it is chosen")
    assert list(listed(at.run())) == ["mnist_logistic", "my model"]
    command = f"No card yet: evaluate it with python src/evaluate.py --models 'models/my model.{kind}'"
    assert listed(at)["my model"] == [command, *"––––"]
    assert not at.errors


def test_broken_models_get_a_sentence_and_the_others_stay(at, tmp_path, monkeypatch):
    folder = borrow_models(monkeypatch, tmp_path, "mnist_logistic", "mnist_mlp", "mnist_linear_svm")
    (folder / "mnist_mlp.json").write_text("{}")
    (folder / "mnist_linear_svm.keras").unlink()
    at.set(model="mnist_logistic", compared_models=["mnist_logistic", "mnist_mlp"])
    (sentence,) = at.errors
    assert "mnist_mlp.json is not a model card" in sentence
    found = listed(at)
    assert list(found) == ["mnist_logistic", "mnist_linear_svm", "mnist_mlp"]
    assert "mnist_mlp.json is not a model card" in found["mnist_mlp"][0]
    assert "which its card names" in found["mnist_linear_svm"][0]
    assert not paths_in(at.everything())


def test_answers_to_the_test_digits_are_computed_once_with_progress(at, tmp_path, monkeypatch, splits):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    told = []
    monkeypatch.setattr(DeltaGenerator, "progress", lambda self, share, text: told.append((share, text)))
    at.set(compared_models=["mnist_mlp"], chart="Calibration")
    assert [share for share, _ in told] == [number / 10 for number in range(10)]
    assert told[0][1] == "mnist_mlp is reading the 1,000 test digits, which is needed only once: 0%"
    at.set(chart="Errors")
    # As on another server.
    found = cache.test_probabilities(Model("anew", recognizer.load("mnist_mlp")))
    assert len(told) == 10
    np.testing.assert_array_equal(found, recognizer.load("mnist_mlp").predict_proba(splits.test.images[:1000]))
    # Of other digits nothing is known.
    monkeypatch.setattr(cache, "test_digits", lambda: splits.test.first(200))
    assert len(cache.test_probabilities(Model("anew", recognizer.load("mnist_mlp")))) == 200
    assert len(told) == 12


@pytest.mark.parametrize("entry", [{"scores": {"test": {"accuracy": 0.9}}}, {"description": 5}, {"training": "long"}])
def test_card_with_odd_entries_hurts_only_its_own_model(at, entry, tmp_path, monkeypatch):
    folder = borrow_models(monkeypatch, tmp_path, "mnist_logistic", "mnist_mlp")
    card = json.loads((folder / "mnist_mlp.json").read_text())
    (folder / "mnist_mlp.json").write_text(json.dumps(card | entry))
    at.set(model="mnist_logistic", compared_models=["mnist_logistic", "mnist_mlp"])
    assert "mnist_logistic" in listed(at)


def test_calibration_is_a_plain_count_of_the_test_digits(at, splits, monkeypatch):
    monkeypatch.setattr(cache, "test_digits", lambda: splits.test)
    at.set(compared_models=["mnist_logistic"], chart="Calibration")
    probabilities = recognizer.load("mnist_logistic").predict_proba(splits.test.images).astype(np.float64)
    confidence, is_right = probabilities.max(axis=1), probabilities.argmax(axis=1) == splits.test.labels
    expected = []
    for place in range(15):
        inside = (confidence > place / 15) & (confidence <= (place + 1) / 15)
        if inside.sum() >= 10:
            expected.append((inside.sum(), confidence[inside].mean(), is_right[inside].mean()))
    found = [row for row in chart(at, "Accuracy by confidence") if "answers" in row]
    assert [row["answers"] for row in found] == [count for count, _, _ in expected]
    for row, (_, mean, accuracy) in zip(found, expected, strict=True):
        assert (row["confidence"], row["accuracy"]) == (pytest.approx(mean), pytest.approx(accuracy))


def test_training_curves_are_those_of_the_cards(at):
    at.set(compared_models=["mnist_cnn", "mnist_logistic", "mnist_mlp"], chart="Training")
    found = chart(at, "Validation error by epoch")
    expected = []
    for name in ("mnist_cnn", "mnist_mlp"):
        history = json.loads((paths.MODELS / f"{name}.json").read_text())["training"]["history"]["val_accuracy"]
        expected += [(name, place + 1, pytest.approx(1 - value)) for place, value in enumerate(history)]
    assert [(row["model"], row["epoch"], row["error"]) for row in found] == expected
    at.set(compared_models=["mnist_logistic"])
    assert "None of these models was trained in epochs." in at.captions


@pytest.fixture(scope="module")
def mistakes(splits) -> dict[tuple[int, int], list[tuple[float, int]]]:
    """For each true digit and answer: confidence and place of the test digits, the surest first, by a plain loop."""
    found, few = {}, splits.test.first(1000)
    said = recognizer.load("mnist_logistic").predict_proba(few.images)
    for place, (label, each) in enumerate(zip(few.labels.tolist(), said, strict=True)):
        answer = int(each.argmax())
        if answer != label:
            found.setdefault((label, answer), []).append((-float(each[answer]), place))
    return {pair: sorted(places) for pair, places in found.items()}


def shown_errors(at: Page) -> list[tuple[str, str]]:
    figures = [each for each in at.html.iter("figure") if each[0].get("alt", "").startswith("test digit")]
    return [(each[0].get("alt"), words(each)) for each in figures]


def test_errors_behind_a_cell_are_those_of_a_plain_loop(of_one, mistakes, splits):
    at = of_one
    options = at.app.selectbox(key="confused_pair").options
    counts = [int(each.split("(")[1].rstrip(")")) for each in options]
    assert counts == sorted((len(each) for each in mistakes.values()), reverse=True)[:12]
    for pair in sorted(mistakes, key=lambda pair: -len(mistakes[pair]))[:3]:
        at.set(confused_pair=pair)
        assert f"{pair[0]} read as {pair[1]} ({len(mistakes[pair])})" in options
        expected = [(f"test digit {place}", in_percent(-confidence)) for confidence, place in mistakes[pair]]
        assert shown_errors(at) == expected
        np.testing.assert_array_equal(255 - at.picture(expected[0][0]), splits.test.images[mistakes[pair][0][1]])
        assert any(f"Test digits {pair[0]} that are read as {pair[1]}," in each for each in at.captions)


def test_confusion_matrix_is_shown_with_its_errors(of_one, mistakes):
    rows_of_chart = chart(of_one, "Confusion matrix of mnist_logistic")
    found = {(row["true"], row["answer"]): row for row in rows_of_chart if "true" in row}
    assert len(found) == 100
    assert {pair: row["errors"] for pair, row in found.items() if row["errors"]} == {
        pair: len(places) for pair, places in mistakes.items()
    }
    assert sum(row["count"] for row in found.values()) == 1000


def test_clicked_cell_is_shown_until_another_is_chosen(of_one, mistakes, monkeypatch):
    at = of_one
    rare = min(mistakes, key=lambda pair: (len(mistakes[pair]), pair))
    original = DeltaGenerator.altair_chart
    clicked = {"cell": [{"true": rare[0], "answer": rare[1]}]}

    def with_a_click(*arguments, **options):
        event = original(*arguments, **options)
        return {"selection": clicked} if options.get("key") == "confusion" else event

    monkeypatch.setattr(DeltaGenerator, "altair_chart", with_a_click)
    at.run()
    assert at.app.selectbox(key="confused_pair").value == rare
    assert [place for place, _ in shown_errors(at)] == [f"test digit {place}" for _, place in mistakes[rare]]
    common = max(mistakes, key=lambda pair: len(mistakes[pair]))
    at.set(confused_pair=common)
    assert len(shown_errors(at)) == len(mistakes[common])
    # A cell without a single digit has nothing to show, and no error either.
    clicked["cell"] = [
        next({"true": t, "answer": a} for t in range(10) for a in range(10) if t != a and (t, a) not in mistakes)
    ]
    at.run()
    assert shown_errors(at) == []
    assert not at.errors


def test_errors_of_each_compared_model_can_be_shown(at, splits, monkeypatch):
    monkeypatch.setattr(cache, "test_digits", lambda: splits.test)
    at.set(compared_models=["mnist_mlp", "mnist_logistic"], chart="Errors").set(errors_of="mnist_logistic")
    confusion = metrics.confusion_matrix(
        recognizer.load("mnist_logistic").predict_proba(splits.test.images).argmax(axis=1), splits.test.labels
    )
    true, answer, count = metrics.most_confused(confusion, 1)[0]
    assert at.app.selectbox(key="confused_pair").options[0] == f"{true} read as {answer} ({count})"
    assert not at.errors
    # No more pictures than fit are shown.
    at.set(confused_pair=(true, answer))
    assert len(shown_errors(at)) == min(count, charts.SHOWN_ERRORS)


def test_model_without_errors_says_so(at, monkeypatch):
    perfect = np.eye(10, dtype=np.float32)[cache.test_digits().labels]
    monkeypatch.setattr(cache, "test_probabilities", lambda model: perfect)
    at.set(compared_models=["mnist_mlp"], chart="Errors")
    assert "It makes no errors." in at.captions
    assert not at.errors
