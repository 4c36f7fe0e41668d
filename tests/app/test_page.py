"""The small parts of the page: bars, tables, pictures and errors."""

import logging

import numpy as np
import pytest

from digits import paths
from panels import page
from tests.app.apptest import cells, in_percent, parse, pixels, rows, shown, words


def test_sentences_are_one_line_without_the_servers_folders():
    error = OSError(2, "No such file", str(paths.MODELS / "mnist_cnn.keras"))
    assert shown(page.sentence(error)) == "[Errno 2] No such file: 'models/mnist_cnn.keras'"
    assert page.sentence(ValueError(f"a\n  b {paths.ROOT}/x and {paths.ROOT}/y")) == "a b x and y"


def test_sentences_give_no_other_folder_away():
    assert "/home/someone" not in page.sentence(
        ValueError("/home/someone/.cache/digit-workbench/1-2.onnx can't be opened")
    )


@pytest.mark.parametrize("kind", ["grey", "colour", "floats"])
def test_pictures_carry_their_pixels_and_their_words(kind, rng):
    image = rng.integers(0, 256, (28, 28) if kind == "grey" else (28, 28, 3), dtype=np.uint8)
    html = parse(page.picture(image / 255 if kind == "floats" else image, '<b>"two"</b> & more', 140))[0]
    np.testing.assert_array_equal(pixels(html), image)
    assert html.get("alt") == '<b>"two"</b> & more'
    assert html.get("style") == "width:140px"


def test_tables_escape_their_header_and_keep_their_rows():
    html = parse(
        page.table(["A", "<b>B</b>"], ["<tr><td>1</td><td>2</td></tr>", "<tr><td>3</td><td>4</td></tr>"], "kind")
    )
    (table,) = html.iter("table")
    assert table.get("class") == "kind"
    assert [words(each) for each in table.iter("th")] == ["A", "<b>B</b>"]
    assert [cells(row) for row in rows(table)] == [["1", "2"], ["3", "4"]]


def test_bars_show_every_digit_and_mark_the_greatest(rng):
    for _ in range(20):
        probabilities = rng.dirichlet(np.full(10, 0.3))
        bars = [
            each
            for each in parse(page.probability_bars(probabilities)).iter("div")
            if "bar" in each.get("class").split()
        ]
        assert [words(bar) for bar in bars] == [f"{digit} {in_percent(p)}" for digit, p in enumerate(probabilities)]
        best = [digit for digit, bar in enumerate(bars) if "best" in bar.get("class").split()]
        assert best == [max(range(10), key=lambda digit: probabilities[digit])]


@pytest.mark.parametrize("error", [ValueError("what came"), OSError("what came"), FileNotFoundError("what came")])
def test_errors_that_users_cause_are_shown_and_not_logged(error, monkeypatch, caplog):
    shown = []
    monkeypatch.setattr(page.st, "error", shown.append)
    with caplog.at_level(logging.ERROR, "digits.app"), page.guarded("The panel"):
        raise error
    assert shown == ["what came"]
    assert not caplog.records


def test_what_ends_the_run_is_let_through(monkeypatch):
    """Streamlit ends a run by exceptions of its own, which stand above Exception."""
    from streamlit.runtime.scriptrunner import RerunException, StopException

    monkeypatch.setattr(page.st, "error", lambda text: pytest.fail(text))
    for error in (StopException(), RerunException(None), KeyboardInterrupt()):
        with pytest.raises(type(error)), page.guarded("The panel"):
            raise error
