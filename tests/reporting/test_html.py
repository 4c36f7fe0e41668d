"""Reports show the names and descriptions that they are given as text, whatever these contain."""

import json
from collections import defaultdict
from html.parser import HTMLParser
from unittest import mock

import numpy as np
import pytest

from digits import errors, evaluation, paths
from digits.evaluation import report as evaluation_report
from digits.reporting import html
from digits.robustness import analysis
from digits.robustness import report as robustness_report
from digits.studies import tables
from tests.robustness.sweeps import sweep_of

NASTY = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\" onmouseover='alert(1)' x=\"",
    "{{ 7 * 7 }} {% raw %} &lt;b&gt;",
    "one\nline\tand \x1b[31m",
    "\u202etxt.exe \u2066mark",
    "*a* _b_ [c](http://d) $e$ `f`",
)
SHOWN_AS = {
    "one\nline\tand \x1b[31m": r"one line and \x1b[31m",
    "\u202etxt.exe \u2066mark": r"\u202etxt.exe \u2066mark",
}


class Page(HTMLParser):
    """The words of a page, its elements, and the attributes that scripts could be in."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words, self.elements, self.attributes = "", set(), set()
        self.feed(page)

    def handle_data(self, data: str) -> None:
        self.words += f" {data}"

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attrs}


def evaluations_report(name: str, folder) -> str:
    digits = evaluation.evaluation.Digits(np.zeros((2, 28, 28), np.uint8), np.array([3, 4]))
    given = [evaluation.Evaluation(each, digits, np.eye(10, dtype=np.float32)[[3, 5]]) for each in (name, "other")]
    return evaluation_report.write_evaluation(given, f"from {name}", folder).read_text(encoding="utf-8")


def sweep_report(name: str, folder) -> str:
    correct = np.ones((2, 4), bool)
    results = sweep_of((name, "other"), ["fog"], [1], {("clean", 0): correct, ("fog", 1): correct})
    robustness = analysis.Robustness(results, {name: {}, "other": {}}, name)
    summary = robustness_report.summarise(robustness, {}, {name: dict.fromkeys((name, "other"), None)})
    return robustness_report.write(robustness, summary, {}, [f"skipped {name}"], folder).read_text(encoding="utf-8")


def study_report(name: str, folder) -> str:
    summary = json.loads((paths.STUDIES / "shipped" / "results.json").read_text(encoding="utf-8"))
    summary |= {"description": name, "name": name}
    rows = [[name, *row[1:]] for row in tables.rows(summary)]
    return html.render(
        "study.html.j2",
        summary=summary,
        header=tables.HEADER,
        rows=rows,
        differences=tables.differences(summary),
        pictures=defaultdict(str),
        measures=tables.MEASURES,
    )


@pytest.mark.parametrize("write", [evaluations_report, sweep_report, study_report])
def test_names_are_text(write, tmp_path, monkeypatch):
    # What is on figures is tested with the figures.
    monkeypatch.setattr(evaluation_report, "plots", mock.MagicMock())
    monkeypatch.setattr(evaluation_report, "figures", mock.MagicMock())
    for module in (evaluation_report, robustness_report):
        monkeypatch.setattr(module, "write_figures", lambda figures, _: defaultdict(str, dict.fromkeys(figures, "")))
    monkeypatch.setattr(robustness_report, "_figures", lambda *_: {})
    usual = Page(write("plain", tmp_path))
    for name in NASTY:
        page = Page(write(name, tmp_path))
        assert errors.printable(name) in page.words.replace("  ", " ")
        assert page.elements == usual.elements
        assert page.attributes == usual.attributes


@pytest.mark.parametrize("name", NASTY)
def test_printable_text_is_one_line_that_can_be_written(name):
    shown = errors.printable(name)
    assert shown == SHOWN_AS.get(name, name)
    assert shown.isprintable()
    assert shown.encode()
    assert errors.printable("no such byte: \udcff") == r"no such byte: \udcff"
    assert errors.printable("نمی\u200cخواهم 数字 é") == "نمی\u200cخواهم 数字 é"
