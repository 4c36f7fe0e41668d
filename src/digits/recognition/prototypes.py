"""Corrections beside a model's head: an image like one that a person corrected gets that label's logit raised.

Nothing is trained. The nearest corrected image decides, by the cosine of whitened features, as in `familiarity`.
"""

from dataclasses import dataclass

import numpy as np

from digits import metrics
from digits.checkpoints.recognizer import Recognizer, blocks_of
from digits.images import to_input
from digits.recognition import familiarity

# A corrected image affects images whose cosine with it is above the first, and its own label's logit comes out ahead of
# all others by at least the second. Both were chosen on forms by people unknown to the models, none of whose
# corrections cost more than 0.05 points on MNIST's validation digits (`benchmarks/corrections.py`).
LEAST_COSINE, MARGIN = 0.5, 5
# From this closeness, a cosine of 0.75, an image counts as a digit whatever it looks like.
AS_GOOD_AS = 0.5


@dataclass(frozen=True)
class Prototypes:
    """Corrected images as one model sees them.

    Attributes:
        mean: of features, float32 (d,).
        whitening: from features to principal components of unit variance, float32 (d, k).
        whitened: the images' whitened features, float32 (M, k).
        labels: what the images show, int (M,).
        boosts: logits from each image's label up to the highest, plus `MARGIN`, float64 (M,).
    """

    mean: np.ndarray
    whitening: np.ndarray
    whitened: np.ndarray
    labels: np.ndarray
    boosts: np.ndarray

    def correct(self, probabilities: np.ndarray, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Apply the corrections to images.

        Args:
            probabilities: calibrated, float (N, 10).
            features: of the model, float32 (N, d).

        Returns:
            The probabilities with corrections, float64 (N, 10), and how close a corrected image is, from 0 to 1, (N,).
        """
        cosines = familiarity.cosines((features - self.mean) @ self.whitening, self.whitened)
        nearest = cosines.argmax(axis=1)
        closeness = np.clip((cosines.max(axis=1) - LEAST_COSINE) / (1 - LEAST_COSINE), 0, 1)
        raised = probabilities.astype(np.float64)
        raised[np.arange(len(raised)), self.labels[nearest]] *= np.exp(closeness * self.boosts[nearest])
        return raised / raised.sum(axis=1, keepdims=True), closeness


def can_learn(recogniser: Recognizer) -> bool:
    """Whether a model has features, by which it can tell that images are alike."""
    return "features" in recogniser.outputs


def learn(recogniser: Recognizer, images: np.ndarray, labels: np.ndarray) -> Prototypes:
    """Let a model see corrected images, uint8 (M, 28, 28) with M > 0, and their labels, int (M,).

    Raises:
        FileNotFoundError: MNIST or the other styles, by which features are whitened, aren't in the data folder.
        ValueError: the model has no features, or the training digits are damaged.
    """
    runs = [recogniser.run(to_input(block), "probabilities", "features") for block in blocks_of(images)]
    probabilities, features = (np.concatenate(each) for each in zip(*runs, strict=True))
    logits = np.log(metrics.temper(probabilities, recogniser.card.get("temperature", 1)))
    boosts = logits.max(axis=1) - logits[np.arange(len(labels)), labels] + MARGIN
    reference = familiarity.reference(recogniser)
    whitened = (features - reference.mean) @ reference.whitening
    return Prototypes(reference.mean, reference.whitening, whitened, labels, boosts)
