"""All explanations of one model's answers to some digits."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from digits import data, preprocess
from digits.checkpoints.recognizer import Recognizer
from digits.data import Digits
from digits.explanations import attribution, counterfactual, examples, shapley, shift
from digits.explanations import feature_maps as learned_features
from digits.explanations.attribution import Attribution, KerasModel
from digits.explanations.counterfactual import Counterfactual
from digits.explanations.examples import Related
from digits.explanations.shift import Shift
from digits.images import to_input
from digits.metrics import intervals
from digits.recognition import batch

SHOWN_MAPS = 12
SHOWN_FILTERS = 32
SHOWN_OF_A_SET = 10
# Under dataset shift many digits are explained, so a quick method is used: the first of these that works on a model.
QUICK = ("hires_cam", "integrated_gradients", "occlusion")


@dataclass(frozen=True)
class Subject:
    """The digits and scores to explain.

    Attributes:
        images: uint8 (N, 28, 28).
        labels: their true digits, int (N,); None if unknown.
        names: a name for each.
        target: the class to explain; None for the model's answers.
        versus: the class to contrast with. If it is None or the answer itself, the most probable other class is used.
        layer: the layer of the class activation maps; None for the last.
    """

    images: np.ndarray
    labels: np.ndarray | None
    names: Sequence[str]
    target: int | None = None
    versus: int | None = None
    layer: str | None = None


@dataclass(frozen=True)
class Background:
    """The MNIST digits that explanations need.

    Attributes:
        training: the training digits, for explanations by examples.
        test: the test digits to plot in the last layer's space.
        shifted: the digits to corrupt.
        corruptions: the names of the corruptions.
    """

    training: Digits
    test: Digits
    shifted: Digits
    corruptions: Sequence[str]


def typical_digits(digits: Digits) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Ten digits, one of each class and neither the most nor the least typical: images, labels and names."""
    chosen = [data.representative(digits, digit, 3)[1] for digit in range(10)]
    return (
        digits.images[chosen],
        digits.labels[chosen],
        [f"{'an' if digit == 8 else 'a'} {digit}" for digit in range(10)],
    )


def pictures(arguments: Sequence[str]) -> tuple[tuple[np.ndarray, np.ndarray | None, list[str]], list[str]]:
    """A user's pictures, preprocessed for the models, or digits of a labelled set.

    Args:
        arguments: image files, folders of them or globs; or one file of a labelled set, of which ten digits are taken,
            evenly spaced.

    Returns:
        Images, labels if known, and names; and how a labelled set was read, in lines.

    Raises:
        FileNotFoundError: there is no such file, or no picture in a folder or glob.
        ValueError: there are no arguments, or a picture or a set can't be read.
    """
    files = list(batch.find_images(arguments))
    if len(files) == 1 and data.holds_arrays(files[0]):
        digits, lines = data.read_labelled(files[0])
        chosen, indices = data.evenly_spaced(digits, SHOWN_OF_A_SET)
        return (chosen.images, chosen.labels, [f"{files[0].stem} {index}" for index in indices]), lines
    if not files:
        raise ValueError(f"no pictures in {', '.join(arguments)}")
    images = np.stack([preprocess.prepare_file(file).image for file in files])
    return (images, None, [file.stem for file in files]), []


@dataclass(frozen=True)
class Explanations:
    """The explanations of one model.

    Attributes:
        name: the model's name.
        labels: the true digits, int (N,); the model's answers if those are unknown.
        answers: the model's answers, int (N,).
        attributions: by method.
        contrast: why the target rather than `versus`, by the default method.
        effects: what flipping each pixel adds to the target's logit, (N, 28, 28).
        shares: exact Shapley values of 4×4 patches, (N, 4, 4).
        agreement: by method, Spearman's correlation of its patch sums with the Shapley values, (N,).
        counterfactuals: each digit turned into `contrast.versus`; None where that is the model's answer already.
        related: the training digits as they relate to these; None for a model without a last dense layer.
        plane: coordinates of the test digits, (M, 2); None likewise.
        misread: whether each test digit is misread, bool (M,).
        shifts: the effects of each corruption.
        shift_method: the method of the maps in `shifts`.
        weights: the first dense layer's weights as images, (units, side, side); None behind convolutions.
        filters: by convolution, (filters, rows, columns).
        feature_maps: by convolution, (N, maps, h, w).
    """

    name: str
    labels: np.ndarray
    answers: np.ndarray
    attributions: dict[str, Attribution]
    contrast: Attribution
    effects: np.ndarray
    shares: np.ndarray
    agreement: dict[str, np.ndarray]
    counterfactuals: list[Counterfactual | None]
    related: Related | None
    plane: np.ndarray | None
    misread: np.ndarray
    shifts: list[Shift]
    shift_method: str
    weights: np.ndarray | None
    filters: dict[str, np.ndarray]
    feature_maps: dict[str, np.ndarray]


def check_choice(recognisers: Sequence[Recognizer], methods: Sequence[str], layer: str | None) -> None:
    """Check that each method, and the layer if one is given, applies to at least one of the models.

    Raises:
        ValueError: one doesn't, or there is no such method.
    """
    works = {
        method
        for each in recognisers
        for method in attribution.working_methods(attribution.open_model(each, "occlusion"))
    }
    names = ", ".join(each.name for each in recognisers)
    for method in methods:
        attribution.check_method(method)
    if failing := [method for method in methods if method not in works]:
        working = ", ".join(method for method in attribution.METHODS if method in works)
        raise ValueError(f"{', '.join(failing)} can't explain {names}; these can: {working}")
    if layer and not any(attribution.METHODS[method].needs_layer for method in works):
        raise ValueError(f"layer {layer} can't be used: {names} can't be explained by a layer")


def explain_model(
    recogniser: Recognizer, subject: Subject, background: Background, methods: Sequence[str] = (), seed: int = 0
) -> Explanations:
    """Explain one model's answers in every way that works on it.

    Args:
        methods: attribution methods, of which those that don't work on the model are skipped; if empty, all that do.
        seed: for everything that uses random numbers.

    Raises:
        ValueError: there is no such class, method or layer.
    """
    quick = attribution.open_model(recogniser, "occlusion")
    works = attribution.working_methods(quick)
    for method in methods:
        attribution.check_method(method)
    chosen = [method for method in methods or works if method in works]
    if not chosen:
        raise ValueError(f"{', '.join(methods)} can't explain {recogniser.name}; it works with {', '.join(works)}")
    images = subject.images
    attributions = {
        method: _explain(recogniser, method, subject, images, subject.target, None, seed) for method in chosen
    }
    default = attribution.default_method(quick)
    quick_method = next(method for method in QUICK if method in works)
    logits = quick.logits(to_input(images))
    answers = logits.argmax(axis=1)
    labels = answers if subject.labels is None else subject.labels
    target, versus = _target_and_versus(subject, logits)
    weights = np.eye(logits.shape[1], dtype=np.float32)[target]
    shares = np.stack([shapley.exact_shapley(quick, *each) for each in zip(images, weights, strict=True)])

    def explain_quickly(shifted: np.ndarray, classes: np.ndarray | None) -> Attribution:
        return _explain(recogniser, quick_method, subject, shifted, classes, None, seed)

    has_last_layer = "features" in recogniser.outputs
    differentiable = attribution.open_keras(recogniser.network) if recogniser.network else None
    return Explanations(
        name=recogniser.name,
        labels=labels,
        answers=answers,
        attributions=attributions,
        contrast=_explain(recogniser, default, subject, images, target, versus, seed),
        effects=np.stack([shapley.single_pixel_effects(quick, *each) for each in zip(images, weights, strict=True)]),
        shares=shares,
        agreement={
            name: intervals.correlations(shapley.patch_sums(each.signed), shares, of_ranks=True)
            for name, each in attributions.items()
        },
        counterfactuals=[
            counterfactual.find(quick, image, other) if other != answer else None
            for image, answer, other in zip(images, answers, versus, strict=True)
        ],
        related=examples.relate(recogniser, background.training, Digits(images, labels)) if has_last_layer else None,
        plane=examples.plane(recogniser, background.test.images, seed) if has_last_layer else None,
        misread=recogniser.predict_proba(background.test.images).argmax(axis=1) != background.test.labels,
        shifts=[shift.measure(explain_quickly, background.shifted, name, seed) for name in background.corruptions],
        shift_method=quick_method,
        weights=learned_features.input_weights(differentiable) if differentiable else None,
        **_convolutions(differentiable, images),
    )


def _target_and_versus(subject: Subject, logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The classes to explain, and those to contrast them with, int (N,) each."""
    target = logits.argmax(axis=1) if subject.target is None else np.full(len(logits), subject.target)
    others = logits.copy()
    others[np.arange(len(logits)), target] = -np.inf
    versus = others.argmax(axis=1)
    if subject.versus is not None:
        # An answer that is `versus` itself is contrasted with the next best class.
        versus = np.where((subject.target is None) & (target == subject.versus), versus, subject.versus)
    return target, versus


def _convolutions(model: KerasModel | None, images: np.ndarray) -> dict[str, dict[str, np.ndarray]]:
    """Filters larger than 1×1, and feature maps with spatial extent."""
    if not model:
        return {"filters": {}, "feature_maps": {}}
    kernels, maps = model.graph.convolution_kernels, model.graph.maps
    return {
        "filters": {
            name: learned_features.filters(model, name)[:SHOWN_FILTERS]
            for name, kernel in kernels.items()
            if kernel[..., 0, 0].size > 1
        },
        "feature_maps": {
            name: learned_features.feature_maps(model, images, name, SHOWN_MAPS)[0]
            for name, shown in model.graph.convolutions.items()
            if shown in maps
        },
    }


def _explain(
    recogniser: Recognizer,
    method: str,
    subject: Subject,
    images: np.ndarray,
    target: int | np.ndarray | None,
    versus: np.ndarray | None,
    seed: int,
) -> Attribution:
    layer = subject.layer if attribution.METHODS[method].needs_layer else None
    model = attribution.open_model(recogniser, method, layer)
    return attribution.explain(model, images, method, target, versus, layer, seed)
