"""Does a model notice what is no digit? Simple scores compared on other drawings, noise and smears, and on digits.

A score is good if digits have high ones and other things low ones: AUROC is the chance that a digit's is the higher of
the two, and the false-positive rate is the share of other things that pass where 95 % of the digits do. All pictures
come to the model as drawings do, through `preprocess`. The digits are MNIST's validation digits. Of the other drawings,
and of digits in other styles, those that are held out are from other fonts, shapes and writers than the reference's.
"""

import string
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import cv2
import harness
import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from sklearn.metrics import roc_auc_score

from digits import data, preprocess
from digits.checkpoints import recognizer
from digits.checkpoints.recognizer import Recognizer
from digits.images import to_input
from digits.recognition import familiarity

MODELS = ("mnist_advanced", "mnist_cnn")
SIDE = 280
A_KIND = 1000
# What is left out looks like a digit.
LETTERS = sorted(set(string.ascii_letters) - set("OoDQIiljJZzSsBbgqGTtyY"))
FONTS = ("DejaVuSans", "DejaVuSerif", "DejaVuSansMono", "DejaVuSans-Oblique", "STIXGeneral", "cmr10")


@dataclass(frozen=True)
class Outputs:
    """What a model makes of images: logits, float64 (N, 10), and features, float32 (N, d)."""

    model: Recognizer
    images: np.ndarray

    @cached_property
    def logits(self) -> np.ndarray:
        blocks = (self.model.run(to_input(block), "logits")[0] for block in recognizer.blocks_of(self.images))
        return np.concatenate(list(blocks)).astype(np.float64)

    @cached_property
    def features(self) -> np.ndarray:
        return familiarity.features(self.model, self.images)


Score = Callable[[Outputs], np.ndarray]


def prepared(drawing: np.ndarray) -> np.ndarray:
    """A drawing, dark on light, as the model sees it."""
    return preprocess.prepare(drawing).image


def printed_letters(rng: np.random.Generator) -> list[np.ndarray]:
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    drawn = []
    for _ in range(A_KIND):
        page = Image.new("L", (SIDE, SIDE), 255)
        font = ImageFont.truetype(folder / f"{rng.choice(FONTS)}.ttf", int(rng.integers(140, 220)))
        ImageDraw.Draw(page).text((SIDE // 2, SIDE // 2), str(rng.choice(LETTERS)), 0, font, anchor="mm")
        drawn.append(np.asarray(page.rotate(rng.uniform(-12, 12), fillcolor=255)))
    return drawn


def random_walks(rng: np.random.Generator) -> list[np.ndarray]:
    """One stroke that wanders: a smooth random walk of a dozen turns."""
    drawn = []
    for _ in range(A_KIND):
        points = np.cumsum(rng.normal(0, 1, (int(rng.integers(8, 20)), 2)), axis=0)
        smooth = cv2.resize(points.astype(np.float32), (2, 400), interpolation=cv2.INTER_CUBIC)
        smooth = (smooth - smooth.min(axis=0)) / np.ptp(smooth, axis=0) * 200 + 40
        page = np.full((SIDE, SIDE), 255, np.uint8)
        cv2.polylines(page, [smooth.round().astype(np.int32)], False, 0, int(rng.integers(8, 24)), cv2.LINE_AA)
        drawn.append(page)
    return drawn


def crossings(rng: np.random.Generator) -> list[np.ndarray]:
    """Several straight strokes across each other, as when one crosses something out."""
    drawn = []
    for _ in range(A_KIND):
        page = np.full((SIDE, SIDE), 255, np.uint8)
        for _ in range(rng.integers(3, 7)):
            start, end = rng.integers(30, 250, (2, 2)).tolist()
            cv2.line(page, start, end, 0, int(rng.integers(8, 24)), cv2.LINE_AA)
        drawn.append(page)
    return drawn


def noise(rng: np.random.Generator) -> list[np.ndarray]:
    """What the model would get of it: pixels of any grey, in blocks of 1 to 7."""
    blocks = [
        cv2.resize(rng.integers(0, 256, (n, n), dtype=np.uint8), (28, 28), interpolation=0) for n in (28, 14, 7, 4)
    ]
    return [np.roll(blocks[index % 4], int(rng.integers(28)), axis=1) for index in range(A_KIND)]


def blank(rng: np.random.Generator) -> list[np.ndarray]:
    """Paper with a little grain and nothing on it."""
    return [rng.integers(0, level + 1, (28, 28), dtype=np.uint8) for level in rng.integers(0, 40, A_KIND)]


def others(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Images by kind: drawn here, and the held-out drawings of `data/styles.npz` by their family."""
    found = {
        kind.__name__.replace("_", " "): np.stack(
            [each if each.shape == (28, 28) else prepared(each) for each in kind(rng)]
        )
        for kind in (printed_letters, random_walks, crossings, noise, blank)
    }
    stored = data.style_arrays("nondigit_images", "nondigit_family", "nondigit_held_out")
    for family in np.unique(stored["nondigit_family"]):
        is_of_family = (stored["nondigit_family"] == family) & stored["nondigit_held_out"]
        found[str(family)] = stored["nondigit_images"][is_of_family]
    return found


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def margin(logits: np.ndarray) -> np.ndarray:
    ranked = np.sort(logits, axis=1)
    return ranked[:, -1] - ranked[:, -2]


@lru_cache(maxsize=1)
def of_sample(model: Recognizer) -> np.ndarray:
    return familiarity.features(model, familiarity.training_sample().images)


def likeness_to_digits(outputs: Outputs) -> np.ndarray:
    return familiarity.likeness(outputs.features, of_sample(outputs.model), familiarity.NEIGHBOURS)


def likeness_of_its_class(outputs: Outputs) -> np.ndarray:
    """The cosine with the mean of the training digits that are called the same."""
    labels, sample = familiarity.training_sample().labels, of_sample(outputs.model)
    means = np.stack([sample[labels == digit].mean(axis=0) for digit in range(10)])
    cosines = (outputs.features @ means.T) / np.outer(
        np.linalg.norm(outputs.features, axis=1), np.linalg.norm(means, axis=1)
    )
    return cosines[np.arange(len(cosines)), outputs.logits.argmax(axis=1)]


def likeness_in_use(outputs: Outputs) -> np.ndarray:
    return familiarity.reference(outputs.model).likeness(outputs.features)


SCORES: dict[str, Score] = {
    "largest probability (Hendrycks and Gimpel 2017)": lambda of: softmax(of.logits).max(axis=1),
    "least entropy": lambda of: (softmax(of.logits) * np.log(softmax(of.logits) + 1e-12)).sum(axis=1),
    "margin of the logits": lambda of: margin(of.logits),
    "largest logit (Hendrycks et al. 2022)": lambda of: of.logits.max(axis=1),
    "energy (Liu et al. 2020)": lambda of: np.logaddexp.reduce(of.logits, axis=1),
    "likeness to the class's mean": likeness_of_its_class,
    "likeness to similar digits (Sun et al. 2022)": likeness_to_digits,
    "likeness in use: whitened, less that to non-digits": likeness_in_use,
}


def judge(known: np.ndarray, other: np.ndarray) -> dict[str, float]:
    truth = np.r_[np.ones(len(known)), np.zeros(len(other))]
    return {
        "auroc": round(float(roc_auc_score(truth, np.r_[known, other])), 4),
        "false_positive_rate_at_95": round(float(np.mean(other >= np.quantile(known, 0.05))), 4),
    }


if __name__ == "__main__":
    digits = data.load_splits().validation.images
    large = (255 - cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC) for image in digits[:2000])
    known = np.stack([prepared(drawing) for drawing in large])
    unknown = others(np.random.default_rng(0))
    styles = data.load_styles(held_out=True)
    refused = {
        "digits in other styles": styles.digits.images,
        "flagged 1s": styles.digits.images[np.char.find(styles.source, "1-flag") >= 0],
    }
    results = {}
    for name in MODELS:
        model = recognizer.load(name)
        usual = Outputs(model, known)
        kinds = {kind: Outputs(model, images) for kind, images in (unknown | refused).items()}
        results[name] = {}
        for title, score in SCORES.items():
            scores = {kind: score(outputs) for kind, outputs in kinds.items()}
            found = {kind: judge(score(usual), scores[kind]) for kind in unknown}
            average = {key: round(float(np.mean([each[key] for each in found.values()])), 4) for key in found["blank"]}
            least = np.quantile(score(usual), 0.05)
            lost = {kind: {"refused_at_95": round(float(np.mean(scores[kind] < least)), 4)} for kind in refused}
            results[name][title] = {"mean": average} | found | lost
    counts = {kind: len(images) for kind, images in (unknown | refused).items()}
    harness.keep("non_digits", {"digits": len(known), "of_each_kind": counts} | results)
