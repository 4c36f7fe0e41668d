"""Reports show the names and descriptions that they are given as text, whatever these contain."""

import base64
import io
import json
import re
from collections import defaultdict
from html.parser import HTMLParser
from unittest import mock
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image

from digits import errors, evaluation, files, paths
from digits.evaluation import report as evaluation_report
from digits.reporting import figures, html
from digits.robustness import analysis
from digits.robustness import report as robustness_report
from digits.robustness import tables as robustness_tables
from digits.studies import report as study
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


NO_PICTURE = html.Picture("", "")


def no_figures(figures, *_) -> dict[str, html.Picture]:
    return defaultdict(lambda: NO_PICTURE, dict.fromkeys(figures, NO_PICTURE))


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
    page = evaluation_report.write_evaluation(given, f"from {name}", folder, {name: "0" * 64, "other": "1" * 64})
    return page.read_text(encoding="utf-8")


def sweep_report(name: str, folder) -> str:
    correct = np.ones((2, 4), bool)
    results = sweep_of((name, "other"), ["fog"], [1], {("clean", 0): correct, ("fog", 1): correct})
    robustness = analysis.Robustness(results, {name: {}, "other": {}}, name)
    summary = robustness_report.summarise(robustness, {}, {name: dict.fromkeys((name, "other"), None)})
    return robustness_report.write(robustness, summary, {}, [f"skipped {name}"], folder).read_text(encoding="utf-8")


def study_report(name: str, folder) -> str:
    summary = json.loads((paths.STUDIES / "shipped" / "results.json").read_text(encoding="utf-8"))
    summary |= {"description": name, "name": name}
    summary["variants"] = {f"{name} {each}": found for each, found in summary["variants"].items()}
    return html.render(
        "study.html.j2",
        summary=summary,
        tables=tables.of_report(summary),
        pictures=defaultdict(lambda: NO_PICTURE),
        **study.origin(summary),
    )


@pytest.mark.parametrize("write", [evaluations_report, sweep_report, study_report])
def test_names_are_text(write, tmp_path, monkeypatch):
    # What is on figures is tested with the figures.
    monkeypatch.setattr(evaluation_report, "plots", mock.MagicMock())
    monkeypatch.setattr(evaluation_report, "figures", mock.MagicMock())
    for module in (evaluation_report, robustness_report):
        monkeypatch.setattr(module, "write_figures", no_figures)
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


def test_a_sweep_says_how_many_corruptions_are_new_to_all_models_and_orders_its_limits(tmp_path, monkeypatch):
    monkeypatch.setattr(robustness_report, "_figures", lambda *_: {})
    monkeypatch.setattr(robustness_report, "write_figures", no_figures)
    counts = {0: 100, 1: 97, 3: 93, 5: 60}
    for kinds, words in ((["scale"], "1 corruption is unseen"), (["scale", "shot_noise"], "2 corruptions are unseen")):
        cells = [("clean", 0), *((kind, severity) for kind in kinds for severity in (1, 3, 5))]
        correct = {cell: np.arange(100)[None] < counts[cell[1]] for cell in cells}
        robustness = analysis.Robustness(sweep_of(["one"], kinds, [1, 3, 5], correct), {"one": {"recipe": {}}}, "one")
        summary = robustness_report.summarise(robustness, {}, {})
        assert words in Page(robustness_report.write(robustness, summary, {}, [], tmp_path).read_text("utf-8")).words
        for row in robustness_tables.of_report(summary)["thresholds"].rows:
            low, high = row[2].interval
            # The size of a digit and the number of photons fall with the severity.
            assert low < row[2].value < high


def written(folder, seeds="none", hashes=None, **content):
    return html.write_page(files.output_folder(folder), "base.html.j2", seeds=seeds, hashes=hashes or {}, **content)


def other_reports(page) -> list[tuple[str, str]]:
    """The reports to which one links: their addresses and names."""
    (navigation,) = re.findall('<nav id="reports">(.*?)</nav>', page.read_text(encoding="utf-8"))
    return re.findall('<a href="(.*?)">(.*?)</a>', navigation)


def test_reports_in_one_folder_link_to_each_other(tmp_path):
    foreign, odd = tmp_path / "theirs" / "report.html", "50% & <b>"
    foreign.parent.mkdir()
    foreign.write_text("<nav>somebody else's</nav>")
    first = written(tmp_path / "evaluation")
    assert other_reports(first) == []
    second = written(tmp_path / odd)
    for page in (first, written(tmp_path / "evaluation")):
        assert other_reports(page) == [("../50%25%20%26%20%3Cb%3E/report.html", "50% &amp; &lt;b&gt;")]
        (address, _), *_ = other_reports(page)
        assert (page.parent / unquote(address)).samefile(second)
    assert other_reports(second) == [("../evaluation/report.html", "evaluation")]
    assert foreign.read_text() == "<nav>somebody else's</nav>"
    assert [each.name for each in foreign.parent.iterdir()] == ["report.html"]


def test_a_report_that_another_process_writes_is_left_alone(tmp_path):
    first = written(tmp_path / "evaluation")
    before = first.read_bytes()
    with mock.patch("digits.files.locked", side_effect=ValueError("another process")):
        written(tmp_path / "robustness")
    assert first.read_bytes() == before


def test_a_report_states_its_seeds_and_hashes(tmp_path):
    page = Page(written(tmp_path, "7 for the bootstrap", {"a<b": "c0ffee"}).read_text(encoding="utf-8"))
    assert "7 for the bootstrap" in page.words
    assert "a<b" in page.words
    assert "c0ffee" in page.words


def test_pictures_are_vectors_where_small_and_each_has_a_pdf(tmp_path):
    curve, axis = figures.single(3, 2)
    axis.plot([1, 1000])
    axis.set(yscale="log", title="$5")
    many, axes = figures.single(4, 3)
    axes.plot(np.random.default_rng(0).random(20_000), "o")
    some = figures.digit_grid(np.eye(28, dtype=np.uint8)[None].repeat(3, 0))
    shown = html.write_figures({"a curve": curve, "points": many, "digits": some}, tmp_path, "of it")
    kinds = {name: picture.source.split(";")[0] for name, picture in shown.items()}
    assert kinds == {"a curve": "data:image/svg+xml", "points": "data:image/webp", "digits": "data:image/webp"}
    svg = base64.b64decode(shown["a curve"].source.split(",")[1]).decode()
    # matplotlib notes each text as a comment: no formula of an axis became text, no name a formula.
    assert "mathdefault" not in re.sub(r"<!-- \$\\mathdefault\{10\^\{\d\}\}\$ -->", "", svg)
    assert "<!-- $5 -->" in svg
    with (
        Image.open(io.BytesIO(base64.b64decode(shown["digits"].source.split(",")[1]))) as on_page,
        Image.open(tmp_path / "of it" / "digits.png") as saved,
    ):
        np.testing.assert_array_equal(on_page.convert("RGB"), saved.convert("RGB"))
    for picture in shown.values():
        pdf = (tmp_path / unquote(picture.pdf)).read_bytes()
        assert pdf.startswith(b"%PDF")
        assert b"/Type3" not in pdf
