"""Models come, go, break and are brought by strangers: the page says so and goes on."""

import json
import shutil
import zipfile
from io import BytesIO

import numpy as np
import pytest
from playwright.sync_api import expect

from digits import data, paths
from digits.checkpoints import recognizer

from . import visitor

DEFAULT = "mnist_advanced"


@pytest.fixture
def spare(server):
    """A copy of a checkpoint in the server's `models/`, which a test may break; it has no sweep."""
    files = list(server.models.glob("mnist_mlp.*"))
    copies = [file.with_stem("spare") for file in files]
    for file, copy in zip(files, copies, strict=True):
        shutil.copy(file, copy)
    card = server.models / "spare.json"
    card.write_text(card.read_text().replace("mnist_mlp", "spare"))
    yield card
    for copy in copies:
        copy.unlink(missing_ok=True)


def test_what_a_card_says_is_text(spare, page):
    """As Streamlit shows it, which adds colours, icons, formulas and arrows to Markdown."""
    card = json.loads(spare.read_text())
    card["description"] = "1. *a* _b_ [c](http://d.e) $f$ <i>g</i> :red[h] :smile: :material/home: -> `i` www.j.k"
    spare.write_text(json.dumps(card))
    visitor.choose(page, "Model", "spare")
    caption = page.locator("[data-testid=stCaptionContainer]", has_text="*a*")
    assert caption.nth(1).inner_text().replace("\u2060", "") == card["description"]
    expect(caption.locator("a, em, i, code, span, svg, .katex, ol")).to_have_count(0)


def test_models_come_break_and_go(page, spare):
    visitor.use_source(page, "Samples")
    visitor.expect_answer(page, 4)
    visitor.choose(page, "Model", "spare")
    visitor.caption(page, "Classroom network")
    visitor.wait_until_idle(page)
    assert visitor.downloaded_verdict(page)["model"] == "spare"

    whole = spare.read_text()
    spare.write_text(whole[: len(whole) // 2])
    visitor.choose_sample(page, 7)
    visitor.expect_sentence(page, "spare.json")
    visitor.expect_sentence(page, "No model can answer")
    visitor.choose(page, "Model", "mnist_cnn")
    visitor.expect_answer(page, 7)

    spare.write_text(whole)
    visitor.choose(page, "Model", "spare")
    visitor.expect_answer(page, 7)
    visitor.wait_until_idle(page)
    for file in spare.parent.glob("spare.*"):
        file.unlink()
    visitor.choose_sample(page, 9)
    visitor.expect_sentence(page, f"spare has been removed, so {DEFAULT} answers now")
    visitor.expect_answer(page, 9)
    visitor.wait_until_idle(page)
    assert visitor.downloaded_verdict(page)["model"] == DEFAULT
    assert "spare" not in visitor.options(page, "Model")


def test_models_panel_shows_the_errors_behind_a_cell_and_sweeps(spare, page):
    visitor.choose(page, "Model", "spare")
    visitor.caption(page, "Classroom network")
    page.get_by_role("tab", name="Models", exact=True).click()
    visitor.until(page, "table.cards", "spare")
    visitor.until(page, "[data-testid=stVegaLiteChart] svg.marks")
    for chart in ("Calibration", "Training", "Errors"):
        page.get_by_role("radio", name=chart, exact=True).click()
        visitor.wait_until_idle(page)
        expect(page.locator("[data-testid=stVegaLiteChart] svg.marks")).to_have_count(1)
    visitor.keep(page, "models")

    # The number stands on its cell.
    page.locator("svg text[aria-label^='answer: 3; true digit: 5;']").click(force=True)
    visitor.caption(page, "Test digits 5 that are read as 3")
    test = data.load_test()
    answers = recognizer.load("mnist_mlp").predict_proba(test.images).argmax(axis=1)
    errors = {f"test digit {place}" for place in np.flatnonzero((test.labels == 5) & (answers == 3))}
    visitor.wait_until_idle(page)
    pictures = page.locator("img[alt^='test digit']")
    assert {picture.get_attribute("alt") for picture in pictures.all()} == errors

    page.get_by_role("radio", name="Robustness", exact=True).click()
    page.get_by_role("button", name="Run a quick sweep of spare").click()
    visitor.until(page, "[data-testid=stProgress]", "Quick sweep of spare: ")
    page.get_by_role("button", name="Cancel", exact=True).click()
    expect(page.get_by_role("button", name="Run a quick sweep of spare")).to_be_visible()


def repacked(content: bytes, change) -> bytes:
    """A `.keras` file whose config has been changed."""
    file = BytesIO()
    with zipfile.ZipFile(BytesIO(content)) as source, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            member = source.read(name)
            target.writestr(name, change(member) if name == "config.json" else member)
    return file.getvalue()


def with_lambda(config: bytes) -> bytes:
    model = json.loads(config)
    code = {"class_name": "__lambda__", "config": {"code": "4wEAAAA=", "defaults": None, "closure": None}}
    layer = {"class_name": "Lambda", "config": {"name": "harmless", "function": code}}
    model["config"]["layers"].insert(1, layer | {"module": "keras.layers", "registered_name": None})
    return json.dumps(model).encode()


def test_strangers_model_is_refused_in_a_sentence_or_answers_while_tensorflow_starts(page):
    content = (paths.MODELS / "mnist_mlp.keras").read_bytes()
    refused = {
        "old.keras": (b"\x89HDF\r\n\x1a\n" + bytes(1000), "can't be read as HDF5"),
        "lambda.keras": (repacked(content, with_lambda), "the layer 'Lambda' isn't supported"),
        "letter.keras": (b"Dear reader,\n", "which is a zip archive"),
        "vast.keras": (repacked(content, lambda config: config + bytes(3_000_000)), "larger than 1 MB"),
    }
    visitor.draw(page, visitor.DIGITS[3])
    visitor.expect_answer(page, 3)
    visitor.until(page, visitor.SIGNS["Why"])
    visitor.choose(page, "Method", "Integrated gradients")
    visitor.expect_sentence(page, "needs TensorFlow, which is starting")
    visitor.until(page, "img[alt='Occlusion: where the evidence for 3 lies']")

    visitor.sidebar(page).get_by_text("Your own model").click()
    for name, (bad, words) in refused.items():
        visitor.upload(visitor.sidebar(page), name, bad)
        visitor.expect_sentence(page, words)
    visitor.upload(visitor.sidebar(page), "<b>mine & yours.keras", content)
    visitor.expect_sentence(page, "is among the models above")
    visitor.caption(page, "as b_mine_yours sees it")
    visitor.wait_until_idle(page)
    answer = visitor.downloaded_verdict(page)
    assert answer["model"] == "b_mine_yours"
    # It is a copy of a shipped one, and answers as that does.
    expected = recognizer.load("mnist_mlp").predict_proba(np.array([answer["image"]], np.uint8))[0]
    np.testing.assert_allclose(answer["probabilities"], expected, atol=2e-6)
    visitor.keep(page, "own_model")
    visitor.choose(page, "Model", DEFAULT)
    visitor.caption(page, f"as {DEFAULT} sees it")
    visitor.choose(page, "Method", "Integrated gradients")
    visitor.until(page, "img[alt='Integrated gradients: where the evidence for 3 lies']")
