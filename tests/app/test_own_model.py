"""A visitor's own model, without a browser or a conversion: it answers, goes, or is refused with a reason."""

from dataclasses import replace

import pytest

from digits import paths
from digits.checkpoints import recognizer
from tests.app.apptest import Page, cells, paths_in, rows, words


@pytest.fixture
def at(monkeypatch) -> Page:
    """The page with its quickest panel in view."""
    return Page(monkeypatch).show("My handwriting")


def options(at: Page) -> list[str]:
    return at.app.selectbox(key="model").options


@pytest.fixture
def admitted(monkeypatch) -> recognizer.Recognizer:
    """What every file is converted to here, without the wait."""
    own = replace(recognizer.load("mnist_logistic"), name="mine", card={}, path=paths.ROOT / "mine.onnx", network=None)
    monkeypatch.setattr(recognizer, "load_upload", lambda content, name: own)
    return own


def test_own_model_answers_as_soon_as_it_is_there(at, admitted, splits):
    at.sample(8).upload(b"a model", "mine.keras", key="own_upload")
    assert [each.value for each in at.app.success] == ["mine is among the models above."]
    assert "mine (yours)" in options(at)
    for panel in ("Why", "Compare", "Stress", "Models", "My handwriting"):
        assert not at.show(panel).errors
        assert at.verdict.startswith(f"{admitted.predict_proba(splits.test.images[[8]]).argmax()} ")
    at.show("Compare")
    assert "mine" in [words(row[0]).split()[0] for row in rows(at.find("table", "compare"))]


def test_own_model_that_is_taken_away_while_it_answers_is_replaced(at, admitted):
    at.sample(8).upload(b"a model", "mine.keras", key="own_upload").upload(None, key="own_upload")
    assert "mine (yours)" not in options(at)
    assert at.warnings == ["Your model has been removed, so mnist_advanced answers now."]
    assert "Perhaps" in at.verdict or "sure" in at.verdict
    assert len(at.run().warnings) == 1


def test_another_own_model_takes_the_place_of_the_first(at, admitted, monkeypatch):
    at.sample(8).upload(b"a model", "mine.keras", key="own_upload").upload(None, key="own_upload")
    monkeypatch.setattr(recognizer, "load_upload", lambda content, name: replace(admitted, name="second"))
    at.upload(b"another", "second.keras", key="own_upload")
    assert [each for each in options(at) if each.endswith("(yours)")] == ["second (yours)"]
    assert not at.warnings


def test_mistake_of_ours_in_the_check_of_a_model_leaves_the_page(at, splits, monkeypatch):
    def broken(content, name):
        raise RuntimeError("a secret of the server")

    monkeypatch.setattr(recognizer, "load_upload", broken)
    at.draw(splits.test.images[0]).upload(b"a model", "mine.keras", key="own_upload")
    for _ in range(2):
        assert "sure" in at.verdict
        assert "secret" not in at.everything()
        at.run()


@pytest.mark.parametrize("content", [b"not a zip", b"\x89HDF\r\n\x1a\n" + bytes(1000), b""])
def test_own_model_that_is_refused_gets_a_sentence(at, content):
    at.upload(content, "mine.keras", key="own_upload")
    assert len(at.errors) == 1
    assert not paths_in(at.errors[0])
    assert not at.app.success


def test_reason_for_a_refusal_stays(at):
    at.upload(b"not a zip", "mine.keras", key="own_upload").run()
    assert len(at.errors) == 1


def test_own_model_called_like_a_shipped_one_has_a_row_of_its_own(at, admitted, splits, monkeypatch):
    monkeypatch.setattr(recognizer, "load_upload", lambda content, name: replace(admitted, name="mnist_advanced"))
    at.sample(8).upload(b"a model", "mnist_advanced.keras", key="own_upload").show("Compare")
    answers = [cells(row)[1] for row in rows(at.find("table", "compare")) if "mnist_advanced" in words(row[0])]
    assert answers == ["5", "6"]
