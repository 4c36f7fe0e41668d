"""The classroom notebook, run from top to bottom as a class runs it, only shorter, and compared with other sums."""

import base64
import io
import re

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell
from PIL import Image

from digits import corruptions, data, paths
from digits.checkpoints import recognizer
from digits.corruptions import SEVERITIES
from tools import lesson

SWEEP_DIGITS = 40
SHORT = f"EPOCHS = 4\nTRAINING_DIGITS = 10_000\nSWEEP_DIGITS = {SWEEP_DIGITS}"
# The kernel's own: when it is shut down, and, from Python 3.12 on, when it starts.
KERNEL_FILTERS = (
    "ignore:For consistency across implementations:PendingDeprecationWarning",
    "ignore:There is no current event loop:DeprecationWarning",
)
# A cell that draws calls one of these.
DRAWS = re.compile(r"(plots|figures|comparison)\.\w+\(|plt\.subplots\(|show_\w+\(")


def code_cells(notebook) -> dict[str, nbformat.NotebookNode]:
    """The code cells by their ids."""
    return {cell.id: cell for cell in notebook.cells if cell.cell_type == "code"}


def printed(cell) -> str:
    return "".join(output.text for output in cell.outputs if output.output_type == "stream")


def pictures(cell) -> list[Image.Image]:
    encoded = [output.data["image/png"] for output in cell.outputs if "image/png" in output.get("data", {})]
    return [Image.open(io.BytesIO(base64.b64decode(each))) for each in encoded]


@pytest.fixture(scope="module")
def weights_file(tmp_path_factory):
    """Where the class's network is kept for the tests."""
    return tmp_path_factory.mktemp("notebook") / "weights.npz"


@pytest.fixture(scope="module")
def cells(weights_file, pytestconfig):
    """The notebook's code cells after a run in its own folder on a short schedule, warnings being errors."""
    notebook = lesson.read()
    (parameters,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ())]
    assert re.findall(r"^\w+ =", parameters.source, re.M) == re.findall(r"^\w+ =", SHORT, re.M)
    parameters.source = SHORT
    notebook.cells.append(new_code_cell(f"np.savez({str(weights_file)!r}, *model.get_weights())", id="keep-weights"))
    with pytest.MonkeyPatch.context() as patch:
        # The kernel inherits them: the same warnings are errors there, and nobody's own IPython settings take part.
        patch.setenv("PYTHONWARNINGS", ",".join([*pytestconfig.getini("filterwarnings"), *KERNEL_FILTERS]))
        patch.setenv("IPYTHONDIR", str(weights_file.parent))
        lesson.run(notebook)
    return code_cells(notebook)


@pytest.fixture(scope="module")
def kept() -> nbformat.NotebookNode:
    """The notebook as it is kept, with the pictures of an earlier run."""
    return lesson.read()


def test_kept_notebook_is_valid_and_of_one_whole_run(kept):
    nbformat.validate(kept)
    assert (kept.nbformat, kept.nbformat_minor) == (4, 5)
    assert kept.metadata.kernelspec.name == "python3"
    assert all(re.fullmatch("[a-z][a-z0-9-]+", cell.id) for cell in kept.cells)
    cells = code_cells(kept).values()
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert all(set(cell.metadata) <= {"tags"} for cell in cells)
    assert lesson.NOTEBOOK.stat().st_size < 1_500_000
    # Where somebody's home is belongs to nobody else.
    assert str(paths.ROOT) not in lesson.NOTEBOOK.read_text(encoding="utf-8")


def test_kept_pictures_are_of_the_present_code(kept, cells):
    """Pixels differ from run to run, and this run is shorter, but what is shown and how large it is stays the same."""
    assert kept.metadata["run"]["source_sha256"] == lesson.source_sha256(lesson.read()), "type: make lesson"
    for name, cell in code_cells(kept).items():
        assert shown_kinds(cell) == shown_kinds(cells[name]), f"{name}: type make lesson"
        for old, new in zip(pictures(cell), pictures(cells[name]), strict=True):
            np.testing.assert_allclose(old.size, new.size, rtol=0.15, err_msg=f"{name}: type make lesson")
    for name in ("load-data", "count", "open-cnn"):
        assert printed(code_cells(kept)[name]) == printed(cells[name]) != "", f"{name}: type make lesson"


def shown_kinds(cell) -> list[list[str]]:
    """The formats of everything that a cell shows, in order."""
    return [sorted(output.data) for output in cell.outputs if "data" in output]


def test_run_is_quiet(cells):
    for name, cell in cells.items():
        for output in cell.outputs:
            assert output.output_type in ("stream", "display_data", "execute_result"), name
            assert output.get("name") != "stderr", output.text


def test_every_cell_that_draws_shows_pictures(cells):
    assert {name for name, cell in cells.items() if pictures(cell)} == {
        name for name, cell in cells.items() if DRAWS.search(cell.source)
    }
    for name, cell in cells.items():
        for picture in pictures(cell):
            grey = np.asarray(picture.convert("L"))
            assert min(grey.shape) > 100, name
            assert len(np.unique(grey)) > 10, name


def test_printed_accuracy_is_that_of_the_network(cells, weights_file, splits):
    # Shares in percent; the kernel may round differently, so that one of the 5,000 answers differs.
    share, low, high = map(float, re.findall(r"([\d.]+)%", printed(cells["accuracy"]))[:3])
    with np.load(weights_file) as stored:
        first, first_bias, second, second_bias, last, last_bias = stored.values()
    hidden = splits.validation.images.reshape(-1, 784) / 255
    for kernel, bias in ((first, first_bias), (second, second_bias)):
        hidden = np.maximum(hidden @ kernel + bias, 0)
    answers = (hidden @ last + last_bias).argmax(axis=1)
    assert share == pytest.approx(100 * np.mean(answers == splits.validation.labels), abs=0.021)
    assert 90 < low < share < high < 99


def test_printed_exam_of_the_cnn_is_its_cards(cells):
    card = recognizer.load("mnist_cnn").card
    assert f"mnist_cnn: {card['scores']['test']['accuracy']:.2%} of 10,000" in printed(cells["exam"])


def test_printed_sweep_is_what_the_damage_does(cells, splits):
    chosen, places = data.evenly_spaced(splits.test, SWEEP_DIGITS)
    cnn = recognizer.load("mnist_cnn")
    for kind in ("translate", "fog"):
        damaged = [corruptions.corrupt(chosen.images, kind, severity, 0, places) for severity in SEVERITIES]
        answers = cnn.predict_proba(np.concatenate(damaged)).argmax(axis=1)
        expected = np.mean(answers == np.tile(chosen.labels, len(SEVERITIES)))
        (row,) = re.findall(rf"^ *{kind} .*", printed(cells["sweep-table"]), re.M)
        assert row.endswith(f" {expected:.1%}")


def test_the_slider_turns_a_digit_until_the_network_breaks(cells):
    (html,) = [output.data["text/html"] for output in cells["turn"].outputs]
    encoded = re.findall(r'src="data:image/png;base64,(.*?)"', html)
    turned = np.stack([255 - np.asarray(Image.open(io.BytesIO(base64.b64decode(each)))) for each in encoded])
    captions = re.findall("<figcaption>(.*?)</figcaption>", html)
    angles = [int(re.findall(r"(\d+)°", caption)[0]) for caption in captions]
    assert angles == list(range(0, 185, 5))
    # A half turn is the digit upside down.
    np.testing.assert_array_equal(turned[-1], turned[0][::-1, ::-1])
    answers = recognizer.load("mnist_cnn").predict_proba(turned).argmax(axis=1)
    assert [int(re.findall(r"CNN: (\d)", caption)[0]) for caption in captions] == answers.tolist()
    assert answers[0] == 7 != answers[-1]
