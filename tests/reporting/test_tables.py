"""Tables of reports: read back from CSV, from the page and from LaTeX, by other parsers than what wrote them."""

import base64
import io
import re

import numpy as np
import pandas
import pytest

from digits.reporting import html, tables
from digits.reporting.tables import Cell, Table
from tests.explanations.explained import Page

ODD = "50 % of a_b & {c} \\ #1 ~ ^ $x$ <b>"
SHARES = np.random.default_rng(0).random((3, 3))
TABLE = Table(
    "scores",
    f"What {ODD} says.",
    [
        (ODD, ["a", 'quote "and", comma', ODD]),
        ("accuracy", [tables.percent(share, interval=(low, high)) for share, low, high in SHARES]),
        ("unfilled", [None, None, None]),
        ("difference", [tables.points(1 / 3, (-1 / 7, 0.5)), None, tables.points(-1e-9, (-1, 0))]),
        ("images", [10, 0, 1000]),
        (ODD, ["x", "", "y"]),
    ],
    best="accuracy",
)


def on_page(table: Table) -> str:
    source = '{% from "parts.html.j2" import table %}{{ table(one) }}'
    return html.environment().from_string(source).render(one=table)


def test_csv_holds_the_numbers_in_full_precision():
    read = pandas.read_csv(io.StringIO(TABLE.csv()))
    names = [ODD, "accuracy", "accuracy low", "accuracy high", "difference", "difference low", "difference high"]
    assert list(read) == [*names, "images", f"{ODD}.1"]
    np.testing.assert_array_equal(read[["accuracy", "accuracy low", "accuracy high"]], SHARES)
    np.testing.assert_array_equal(read["difference"], [100 * (1 / 3), np.nan, 100 * -1e-9])
    np.testing.assert_array_equal(read["difference low"], [100 * (-1 / 7), np.nan, -100])
    assert list(read["images"]) == [10, 0, 1000]
    assert list(read[ODD]) == ["a", 'quote "and", comma', ODD]


def test_page_has_caption_scopes_and_no_empty_column(tmp_path):
    page = on_page(TABLE)
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    header, *rows = Page(tmp_path / "page.html").rows
    assert header == [ODD, "accuracy", "difference", "images", ODD]
    assert [(row[0], row[3], row[4]) for row in rows] == [
        ("a", "10", "x"),
        ('quote "and", comma', "0", ""),
        (ODD, "1000", "y"),
    ]
    assert [float(row[1].split(" %")[0]) for row in rows] == list((100 * SHARES[:, 0]).round(2))
    assert [row[2] for row in rows] == ["+33.33-14.29 to +50.00", "–", "+0.00-100.00 to +0.00"]
    assert page.count('<th scope="col">') == 5
    assert page.count("<th scope=row") == 3
    assert re.search(r"<caption><div>What 50 % of .*? says\.", page)
    best = re.findall(r'class="best">([\d.]+) %', page)
    assert [float(each) for each in best] == [round(100 * SHARES[:, 0].max(), 2)]


def test_page_links_to_its_csv_and_latex():
    links = dict(re.findall(r'href="data:([\w/-]+);base64,(.*?)"', on_page(TABLE)))
    decoded = {kind: base64.b64decode(content).decode() for kind, content in links.items()}
    assert decoded == {"text/csv": TABLE.csv(), "application/x-tex": TABLE.latex()}


def test_latex_has_a_cell_for_every_column_and_nothing_unescaped():
    comment, *lines = TABLE.latex().splitlines()
    assert comment.startswith("%")
    source = "\n".join(lines)
    # What LaTeX takes for text, once its commands, escapes and formulas are gone.
    text = re.sub(r"\\[a-z]+\{\}|\\[&%$#_{}]|\$(?:\\times|\\sigma|[-<>])\$", "", source)
    assert not re.search(r"[#_^~$%]", text.replace("\\label{tab:scores}", ""))
    depth = np.cumsum([{"{": 1, "}": -1}.get(character, 0) for character in text])
    assert depth.min() >= 0
    assert depth[-1] == 0
    begun, ended = (re.findall(rf"\\{word}\{{(\w+)\}}", source) for word in ("begin", "end"))
    assert begun == ended[::-1] == ["table", "tabular"]
    rows = [line for line in text.splitlines() if line.endswith("\\\\")]
    assert len(rows) == 1 + 3
    assert {line.count("&") for line in rows} == {4}
    assert re.search(r"\\begin\{tabular\}\{lrrrr\}", source)
    assert source.count("\\textbf{") == 1
    assert "$-$14.29 to +50.00" in source


@pytest.mark.parametrize(
    ("values", "emphasised"),
    [([0.5, 0.75], [False, True]), ([0.5], [False]), ([0.0, 0.0], [True, True]), ([None, 0.5], [False, False])],
)
def test_the_best_is_emphasised_among_several(values, emphasised):
    cells = [None if value is None else tables.percent(value) for value in values]
    table = Table("t", "c", [("model", [str(row) for row in range(len(values))]), ("accuracy", cells)], best="accuracy")
    assert [table.is_best(1, row[1]) for row in table.rows] == emphasised


def test_text_in_place_of_a_number_is_in_the_csv():
    table = Table("t", "c", [("corruption", ["fog", "blur"]), ("amount", [Cell("beyond 5"), tables.number(0.1)])])
    assert table.csv().splitlines() == ["corruption,amount", "fog,beyond 5", "blur,0.1"]
    assert Table("t", "c", [("model", [])]).rows == []
