"""Why, without a browser: heat maps as `attribution` gives them, similar digits by brute force, the fewest pixels."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from digits.checkpoints import recognizer
from digits.explanations import attribution, counterfactual
from digits.explanations.attribution import METHODS, ExportedModel
from digits.images import to_input
from digits.recognition import familiarity
from digits.reporting import thumbnails
from panels import cache
from panels.why import ANSWER, NO_OTHER
from tests.app.apptest import SHIPPED, Page, pixels, prepared, words

# One of each kind.
KINDS = ("mnist_advanced", "mnist_cnn", "mnist_mlp", "mnist_random_forest")
# Also a CNN that `make demo` left here.
CONVOLUTIONAL = {"mnist_advanced", "mnist_ensemble", *(name for name in SHIPPED if "cnn" in name)}
WITHOUT_LAYER = [name for name, method in METHODS.items() if not method.needs_layer]
WITHOUT_GRADIENT = ["occlusion", "rise"]


@pytest.fixture
def at(monkeypatch) -> Page:
    monkeypatch.setattr(cache, "tensorflow_is_ready", lambda: False)
    return Page(monkeypatch).run()


def expected_heat(name: str, image: np.ndarray, method: str, target: int, versus: int | None = None) -> np.ndarray:
    model = attribution.open_model(recognizer.load(name), method)
    (heat,) = attribution.explain(model, image[None], method, target, versus).heat
    return (thumbnails.overlay(image, heat) * 255).round()


def pictures(at: Page, words: str) -> list[np.ndarray]:
    return [pixels(each) for each in at.html.iter("img") if words in each.get("alt")]


@pytest.mark.parametrize("name", SHIPPED)
def test_methods_are_those_that_work_on_the_model_and_a_sentence_says_why(at, name, splits):
    at.set(model=name).draw(splits.test.images[0])
    expected = list(METHODS) if name in CONVOLUTIONAL else WITHOUT_GRADIENT if "forest" in name else WITHOUT_LAYER
    titles = [METHODS[method].title for method in expected]
    # Grad-CAM is shown without being asked for.
    assert sorted(at.app.selectbox(key="method").options) == sorted({*titles} - {"Grad-CAM"})
    assert at.app.selectbox(key="method").value == "occlusion"
    assert bool(pictures(at, "Grad-CAM: where")) == (name in CONVOLUTIONAL)
    if name in CONVOLUTIONAL:
        assert not at.warnings
    else:
        (sentence,) = at.warnings
        assert sentence.startswith(f"{name} has no convolutional layer")
        assert all(title in sentence for title in titles)


@pytest.mark.parametrize("name", KINDS)
def test_heat_is_what_the_library_gives_for_the_answer(at, name, splits):
    at.set(model=name).draw(splits.test.images[2])
    image = prepared(at.drawing).image
    answer = int(words(at.find("span", "answer")))
    np.testing.assert_array_equal(at.picture("Occlusion: where"), expected_heat(name, image, "occlusion", answer))
    if name in CONVOLUTIONAL:
        np.testing.assert_array_equal(at.picture("Grad-CAM: where"), expected_heat(name, image, "grad_cam", answer))


def test_opacity_fades_both_maps(at, splits):
    at.draw(splits.test.images[2]).set(opacity=0)
    digit = (thumbnails.overlay(prepared(at.drawing).image, np.zeros((28, 28))) * 255).round()
    first, second = pictures(at, "where the evidence")
    np.testing.assert_array_equal(first, digit)
    np.testing.assert_array_equal(second, digit)


@pytest.mark.parametrize("method", [name for name, each in METHODS.items() if each.needs_gradient != "ink"])
def test_method_target_and_contrast_reach_the_heat(at, method, splits):
    at.draw(splits.test.images[4])
    if method != "grad_cam":
        at.set(method=method)
    image, seen = prepared(at.drawing).image, []
    for target, versus in ((ANSWER, NO_OTHER), (ANSWER, 9), (9, NO_OTHER), (9, 4)):
        at.set(target=target, versus=versus)
        explained, other = 4 if target == ANSWER else target, None if versus == NO_OTHER else versus
        seen.append(at.picture(f"{METHODS[method].title}: where the evidence for {explained} lies"))
        np.testing.assert_array_equal(seen[-1], expected_heat("mnist_advanced", image, method, explained, other))
        sentence = f"{explained}{f' rather than {other}' if other else ''} more strongly, as mnist_advanced sees it."
        assert any(each.endswith(sentence) for each in at.captions)
    assert not any(np.array_equal(each, other) for place, each in enumerate(seen) for other in seen[:place])


def test_contrast_with_the_target_itself_is_impossible(at, splits):
    """Choosing as target what the contrast was with leaves no contrast, and no error."""
    at.draw(splits.test.images[4]).set(versus=9).set(target=9)
    assert not at.errors
    image = prepared(at.drawing).image
    np.testing.assert_array_equal(
        at.picture("Occlusion: where the evidence for 9"), expected_heat("mnist_advanced", image, "occlusion", 9)
    )
    assert "9" not in at.app.selectbox(key="versus").options


def test_answer_that_becomes_the_contrast_leaves_none(at, splits):
    at.draw(splits.test.images[4]).set(versus=9).clear().draw(splits.test.images[7])
    assert "9" in words(at.find("span", "answer"))
    assert not at.errors
    assert at.picture("Grad-CAM: where the evidence for 9 lies").shape == (28, 28, 3)


def test_model_that_finds_no_evidence_says_so(at, splits, monkeypatch):
    monkeypatch.setattr(
        attribution.METHODS["occlusion"].function, "__code__", (lambda model, ink, weights: -ink[..., 0] - 1).__code__
    )
    at.draw(splits.test.images[30]).set(method="occlusion")
    assert "Occlusion finds nothing that supports 3, as mnist_advanced sees it." in at.captions


def test_methods_that_need_tensorflow_wait_for_it_behind_another(at, splits):
    at.draw(splits.test.images[0]).set(method="saliency")
    (sentence,) = [each.value for each in at.app.info]
    assert sentence.startswith("Saliency needs TensorFlow, which is starting")
    assert sentence.endswith("Until then you see Occlusion.")
    image = prepared(at.drawing).image
    np.testing.assert_array_equal(
        at.picture("Occlusion: where"), expected_heat("mnist_advanced", image, "occlusion", 7)
    )


def test_methods_that_need_tensorflow_show_their_heat_once_it_is_there(at, splits, monkeypatch):
    monkeypatch.setattr(cache, "tensorflow_is_ready", lambda: True)
    at.set(model="mnist_logistic").draw(splits.test.images[0]).set(method="saliency")
    image = prepared(at.drawing).image
    np.testing.assert_allclose(
        at.picture("Saliency: where"), expected_heat("mnist_logistic", image, "saliency", 7), atol=1
    )
    assert not at.errors


@pytest.mark.parametrize("name", KINDS)
def test_similar_digits_are_the_most_similar_of_5000_training_digits(at, name, splits):
    at.set(model=name).draw(splits.test.images[2])
    found = [each for each in at.html.iter("img") if each.get("alt").startswith("a training digit")]
    recogniser = recognizer.load(name)
    if "forest" in name:
        assert not found
        assert f"{name} has no layer in which to compare digits." in at.captions
        return
    images, labels = splits.train.images[::11], splits.train.labels[::11]
    assert len(images) == 5000
    reference, drawn = familiarity.reference(recogniser), prepared(at.drawing).image[None]
    seen = [
        (recogniser.run(to_input(some), "features")[0] - reference.mean) @ reference.whitening
        for some in (drawn, images)
    ]
    nearest = cdist(*seen, "cosine")[0].argsort()[:10]
    assert [each.get("alt") for each in found] == [f"a training digit {label}" for label in labels[nearest]]
    for each, place in zip(found, nearest, strict=True):
        np.testing.assert_array_equal(pixels(each), 255 - images[place])


def test_fewest_pixels_are_those_that_the_search_finds_and_change_the_answer(at, splits):
    at.set(model="mnist_cnn").draw(splits.test.images[0])
    for versus in (NO_OTHER, 9):
        at.set(versus=versus, fewest=True)
        image, recogniser = prepared(at.drawing).image, recognizer.load("mnist_cnn")
        other = versus if versus != NO_OTHER else int(np.argsort(recogniser.predict_proba(image[None])[0])[-2])
        (toggle,) = [each for each in at.app.toggle if each.key == "fewest"]
        assert toggle.label == f"Find the fewest pixels that turn it into a {other}"
        found = counterfactual.find(ExportedModel(recogniser), image, other)
        count = int((found.image != image).sum())
        (caption,) = [each for each in at.captions if "of 784 pixels changed" in each]
        assert caption.startswith(f"{count} of 784 pixels changed, and mnist_cnn answers {other}.")
        assert recogniser.predict_proba(found.image[None])[0].argmax() == other
        shown = at.picture(f"the digit changed into a {other}").astype(int)
        is_red, is_blue = shown[..., 0] > shown[..., 2], shown[..., 0] < shown[..., 2]
        np.testing.assert_array_equal(is_red, found.image > image)
        np.testing.assert_array_equal(is_blue, found.image < image)


def test_search_that_finds_nothing_says_so(at, splits, monkeypatch):
    find = counterfactual.find
    monkeypatch.setattr(counterfactual, "find", lambda model, image, target: find(model, image, target, limit=2))
    at.draw(splits.test.images[77]).set(fewest=True)
    assert any(each.startswith("Not even 2 changed pixels make mnist_advanced answer") for each in at.captions)


def test_explanations_can_be_switched_off(at, splits):
    at.draw(splits.test.images[0]).set(explain=False)
    assert "Grad-CAM is switched off in the sidebar." in at.captions
    assert not any("evidence" in each.get("alt") for each in at.html.iter("img"))
    assert "sure" in at.verdict
    at.set(explain=True)
    assert at.picture("Grad-CAM: where the evidence for 7 lies").any()


def test_public_page_offers_only_what_needs_no_tensorflow(at, splits, monkeypatch):
    monkeypatch.setattr(cache, "IS_PUBLIC", True)
    monkeypatch.setattr(cache, "tensorflow_is_ready", lambda: pytest.fail("it would load"))
    at.draw(splits.test.images[0])
    for name in ("mnist_advanced", "mnist_mlp", "mnist_random_forest"):
        at.set(model=name)
        quick = (
            WITHOUT_GRADIENT
            if name not in CONVOLUTIONAL
            else [m for m, each in METHODS.items() if each.needs_gradient != "ink"]
        )
        assert sorted(at.app.selectbox(key="method").options) == sorted(
            METHODS[method].title for method in quick if method != "grad_cam"
        )


def test_choices_are_kept_while_another_panel_is_looked_at(at, splits):
    at.draw(splits.test.images[4]).set(method="hires_cam", versus=9).show("Stress").show("Why")
    assert at.app.selectbox(key="method").value == "hires_cam"
    assert at.app.selectbox(key="versus").value == 9
