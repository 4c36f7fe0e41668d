"""The report of explanations and of the benchmark of methods: its figures, and its page read back."""

import json
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import cv2
import numpy as np
import pytest

from digits import files
from digits.explanations import benchmark, faithfulness, report
from digits.explanations.overview import Explanations
from tests.explanations.explained import Page
from tests.support import folder_bytes


def estimate(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.05, "high": value + 0.05}


def judged(methods: dict[str, float], **counterfactuals) -> dict:
    """What a benchmark might say of one model, from each method's faithfulness."""
    kinds = [f"{way} {filling}" for way in ("deletion", "insertion") for filling in faithfulness.FILLINGS]
    others = ["sensitivity", "shapley", "stability", "evidence"]
    figures = {
        name: {"faithfulness": estimate(value)} | {kind: estimate(value / 2) for kind in kinds + others}
        for name, value in methods.items()
    }
    for name in methods.keys() - benchmark.BASELINES:
        figures[name]["randomisation"] = [estimate(0.9), estimate(methods[name] / 10)]
    curve = {way: np.linspace(1, 0, 5).tolist() for way in ("deletion", "insertion")}
    turned = {"target": 9, "images": 7, "found": 6, "median": 5.5, "least": 2, "most": 11}
    return {
        "checkpoint": "0" * 64,
        "methods": figures,
        "curves": {name: dict.fromkeys(faithfulness.FILLINGS, curve) for name in methods},
        "stages": ["logits", "everything"],
        "counterfactuals": turned | {"random_orders": 35, "random_reached": 3, "random_least": 97.0} | counterfactuals,
    }


@pytest.fixture(scope="module")
def measured() -> dict:
    models = {
        "net": judged({"grad_cam": 0.41, "occlusion": 0.62, "random": 0.02, "ink": 0.23}),
        "layers": judged({"saliency": 0.15, "rise": 0.71, "random": 0.01, "ink": 0.33}, random_reached=0),
    }
    return {"digits": 1234, "seed": 0, "models": models, "ranking": benchmark.rank(models)}


def test_figures_of_a_benchmark_show_its_numbers(measured):
    figures = report.benchmark_figures(measured)
    assert set(figures) == {
        *(f"faithfulness {kind}" for kind in ("convolutional", "dense")),
        *(f"{kind} {model}" for kind in ("curves", "cascade") for model in ("net", "layers")),
    }
    (axis,) = figures["faithfulness convolutional"].axes
    assert [label.get_text() for label in axis.get_yticklabels()] == [
        "Random order", "The ink itself", "Grad-CAM", "Occlusion"
    ]  # fmt: skip
    points = [line.get_xdata()[0] for line in axis.lines if line.get_marker() == "o"]
    assert points == [0.02, 0.23, 0.41, 0.62]
    spans = [line.get_xdata() for line in axis.lines if len(line.get_xdata()) == 2][:4]
    np.testing.assert_allclose(spans, [[value - 0.05, value + 0.05] for value in points])

    curves = figures["curves net"].axes
    assert len(curves) == 2 * len(faithfulness.FILLINGS)
    for axis in curves:
        assert [line.get_label() for line in axis.lines] == ["Grad-CAM", "Occlusion", "Random order", "The ink itself"]
        np.testing.assert_allclose(axis.lines[0].get_xydata(), [[0, 1], [25, 0.75], [50, 0.5], [75, 0.25], [100, 0]])

    (axis,) = figures["cascade layers"].axes
    saliency, rise = axis.lines[:2]
    np.testing.assert_allclose(saliency.get_ydata(), [1, 0.9, 0.015])
    np.testing.assert_allclose(rise.get_ydata(), [1, 0.9, 0.071])
    assert [label.get_text() for label in axis.get_xticklabels()] == ["trained", "logits", "everything"]


def test_baselines_are_broken_lines_among_few_methods_too(measured):
    axis = report.benchmark_figures(measured)["curves net"].axes[0]
    assert [line.get_linestyle() for line in axis.lines[:2]] == ["-", "-"]
    assert {line.get_linestyle() for line in axis.lines[2:]} <= {":", "--", "-."}


METHODS = ["Grad-CAM", "Saliency", "Occlusion"]
ODD_NAME = '<b>&"odd"'


@pytest.fixture(scope="module")
def folder_of_report(found, two, background, measured, tmp_path_factory) -> Path:
    """A report of two models, one under an odd name and with weights, and of a benchmark."""
    odd = replace(found["mnist_random_forest"], name=ODD_NAME, weights=found["mnist_mlp"].weights[:20])
    folder = files.output_folder(tmp_path_factory.mktemp("report") / "explanations")
    path = report.write([found["mnist_cnn"], odd], two, background, measured, folder, 7, {"mnist_cnn": "c0ffee"})
    assert path == folder / "report.html"
    return folder


@pytest.fixture(scope="module")
def page(folder_of_report) -> Page:
    return Page(folder_of_report / "report.html")


def test_page_needs_no_other_file_and_holds_every_picture(folder_of_report, page):
    # Without a colon it might stand in a picture by chance.
    assert "http:" not in page.html
    assert "https:" not in page.html
    assert "url(" not in page.html
    assert {source.split(";")[0] for source in page.sources} == {"data:image/svg+xml", "data:image/webp"}
    assert len(page.sources) == len(set(page.sources))
    written = folder_bytes(folder_of_report)
    pictures = {name: content for name, content in written.items() if name.endswith(".png")}
    assert len(pictures) == len(page.sources)
    pdfs = {name.removesuffix(".png") + ".pdf" for name in pictures}
    assert {unquote(link) for link in page.links if link.endswith(".pdf")} == pdfs
    assert set(written) - set(pictures) == {"report.html", "benchmark.json", *pdfs}
    for name, content in pictures.items():
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        assert min(pixels.shape[:2]) > 60, name
        assert pixels.std() > 5, name


def test_page_states_seed_and_hashes(page, background):
    assert "Seeds: 7" in page.words
    assert "c0ffee" in page.words
    assert background.training.sha256 in page.words


def test_page_has_a_section_a_model_and_a_word_for_every_picture(page):
    assert page.headings == {"benchmark": "Which method to trust", "mnist_cnn": "mnist_cnn", ODD_NAME: ODD_NAME}
    assert {link for link in page.links if link.startswith("#")} == {f"#{name}" for name in page.headings}
    assert all(page.alts)
    of_models = [alt for alt in page.alts if "," in alt]
    assert len(of_models) == len(set(of_models))
    both = ("heat maps", "contrast", "ground truth", "counterfactuals", "shift rotate", "changed maps rotate")
    layers = [f"{kind} convolution_{place}" for kind in ("filters", "feature maps") for place in (1, 2, 3, 4)]
    assert set(of_models) == {
        *(f"{each}, mnist_cnn" for each in (*both, "training digits", "plane", *layers)),
        *(f"{each}, {ODD_NAME}" for each in (*both, "weights")),
    }
    assert ODD_NAME not in page.html


def test_page_shows_the_benchmark_in_tables(folder_of_report, page, measured):
    assert json.loads((folder_of_report / "benchmark.json").read_text()) == measured
    assert "1,234" in page.words
    tables = [row for row in page.rows if len(row) > 8]
    assert [row[0] for row in tables] == [
        "method", "Occlusion", "Grad-CAM", "The ink itself", "Random order",
        "method", "RISE", "The ink itself", "Saliency", "Random order",
    ]  # fmt: skip
    occlusion, ink = tables[1], tables[3]
    assert occlusion[1].split() == ["0.620.57", "–", "0.67"]
    assert all(cell.startswith("0.31") for cell in occlusion[2:11])
    assert occlusion[11].startswith("0.06")
    # Baselines have no weights to lose.
    assert ink[11].strip() == "–"
    ranked = [row for row in page.rows if len(row) == 5]
    assert ["Occlusion", "1.0", "0.620", "passes", "yes"] in ranked
    assert ["Saliency", "2.0", "0.150", "passes", "no"] in ranked
    words = " ".join(page.words.split())
    assert "The best method is Occlusion" in words
    assert "Of 7 fours, 6 were turned into nines by 2 to 11 pixels (median 5.5)" in words
    assert "3 of 35 tries succeeded, none with fewer than 97 pixels" in words
    assert "none of 35 tries succeeded" in words


def test_page_says_how_well_methods_agree_with_shapley(page, found):
    rows = [row for row in page.rows if len(row) == 2]
    means = [f"{each.mean():.2f}" for each in found["mnist_cnn"].agreement.values()]
    assert rows[:4] == [["method", "mean rank correlation"], *map(list, zip(METHODS, means, strict=True))]


@pytest.fixture
def bare(found) -> Explanations:
    """A forest of which only attributions are known."""
    return replace(found["mnist_random_forest"], counterfactuals=[None, None], shifts=[])


def test_a_page_of_little_has_only_what_there_is(bare, two, background, tmp_path):
    folder = files.output_folder(tmp_path / "explanations")
    page = Page(report.write([bare], replace(two, target=3), background, {}, folder, 0, {}))
    assert page.alts == [f"{name}, mnist_random_forest" for name in ("heat maps", "contrast", "ground truth")]
    pictures = [f"{name}.{kind}" for name in ("contrast", "ground_truth", "heat_maps") for kind in ("pdf", "png")]
    assert sorted(folder_bytes(folder)) == [*(f"mnist_random_forest/{each}" for each in pictures), "report.html"]
    assert list(page.headings) == ["mnist_random_forest"]
    assert [link for link in page.links if link.startswith("#")] == ["#mnist_random_forest"]
    assert "class 3. Each map" in page.words
    for absent in ("What would have to be different", "What it learned this from", "What it has learned", "its layers"):
        assert absent not in page.words


def test_counterfactuals_that_were_not_found_are_not_shown(bare, found, two, background, tmp_path):
    first, second = found["mnist_random_forest"].counterfactuals
    lost = replace(first, answer=(first.target + 1) % 10)
    report.write([replace(bare, counterfactuals=[lost, second])], two, background, {}, tmp_path, 0, {})
    height, width, _ = cv2.imread(str(tmp_path / "mnist_random_forest" / "counterfactuals.png")).shape
    # One column of two rows.
    assert height > 1.3 * width
