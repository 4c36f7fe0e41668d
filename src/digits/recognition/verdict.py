"""The verdict on an image: which digit it is, how probable that is, and whether to rely on it.

This is the project's one definition of "sure", "not sure" and "looks like no digit"; the command line, the page and the
import of handwriting all show it.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from digits import metrics
from digits.checkpoints import promises
from digits.checkpoints.recognizer import Recognizer, blocks_of
from digits.images import check_images, to_input
from digits.recognition import familiarity
from digits.recognition.prototypes import AS_GOOD_AS, Prototypes
from digits.reporting.words import listing, percent

# For models without a card, whose confidence may not be calibrated. If it were, more than one answer in five below this
# would be wrong.
SURE_THRESHOLD = 0.8
OTHER_MARKS = "something else is beside it"

State = Literal["sure", "not sure", "looks like no digit", "several digits"]


@dataclass(frozen=True)
class Verdict:
    """A model's verdict on one image.

    Attributes:
        probabilities: calibrated probabilities of the ten digits, changed by corrections if there are any, float64
            (10,).
        sure_threshold: the confidence from which the model is sure.
        is_familiar: whether the image looks like the digits that the model learned from.
        digits_found: how many digits are on the picture that the image was made of.
        other_marks: how many other things, such as a minus, are beside the digit on that picture.
        prediction_set: the answer, and other digits if any are probable enough, ascending.
        coverage: at least this fraction of the sets of all digits has the true one; 0 if the model's card promises
            nothing.
        distance: 1 minus the likeness to digits, from -0.5 to 2.5; 0 if the model can't tell.
        uncorrected: the model's own answer where a person's corrections changed it, otherwise None.
    """

    probabilities: np.ndarray
    sure_threshold: float = SURE_THRESHOLD
    is_familiar: bool = True
    digits_found: int = 1
    other_marks: int = 0
    prediction_set: tuple[int, ...] = ()
    coverage: float = 0
    distance: float = 0
    uncorrected: int | None = None

    @property
    def answer(self) -> int:
        """The most probable digit."""
        return int(self.probabilities.argmax())

    @property
    def symbol(self) -> str:
        """The answer as it stands in a number; "?" for what looks like no digit."""
        return str(self.answer) if self.is_familiar else "?"

    @property
    def confidence(self) -> float:
        """The answer's probability."""
        return float(self.probabilities.max())

    @property
    def clearness(self) -> float:
        """The answer's calibrated logit minus the mean of all ten: low for images between digits or unlike any."""
        logits = np.log(self.probabilities)
        return float(logits.max() - logits.mean())

    @property
    def state(self) -> State:
        """Whether to rely on the answer, in the words that are shown."""
        if self.digits_found > 1:
            return "several digits"
        if not self.is_familiar:
            return "looks like no digit"
        return "sure" if self.confidence >= self.sure_threshold else "not sure"

    @property
    def is_sure(self) -> bool:
        """Whether the state is "sure"."""
        return self.state == "sure"

    @property
    def ranked(self) -> list[tuple[int, float]]:
        """Digits with their probabilities, the most probable first."""
        order = np.argsort(-self.probabilities, kind="stable")
        return [(int(digit), float(self.probabilities[digit])) for digit in order]

    @property
    def certainty(self) -> str:
        """The confidence in a few words: `> 99.9 %`, `61.0 %, not sure`, `98.0 %, looks like no digit`."""
        return percent(self.confidence) + ("" if self.is_sure else f", {self.state}")

    @property
    def headline(self) -> str:
        """The state in a few words: `> 99.9 % sure`, `not sure, 4 or 9`, `looks like no digit`, `3 digits found`."""
        if self.state == "several digits":
            return f"{self.digits_found} digits found"
        return (
            f"{percent(self.confidence)} sure" if self.is_sure else ", ".join(filter(None, (self.state, self.choice)))
        )

    @property
    def choice(self) -> str:
        """The prediction set, `4 or 9`, where the model isn't sure and the set has several digits, but not all."""
        if self.state != "not sure" or not 1 < len(self.prediction_set) < len(self.probabilities):
            return ""
        return listing([str(digit) for digit in self.prediction_set], "or")

    def alternatives(self, top: int) -> str:
        """The `top` most probable digits with their probabilities, without the answer if the headline gives its."""
        first, *others = [f"{digit} ({percent(probability)})" for digit, probability in self.ranked[:top]]
        if self.is_sure:
            return f"next: {listing(others)}" if others else ""
        openings = {"not sure": "perhaps", "looks like no digit": "if it is one:", "several digits": "read as one:"}
        opening = f"{openings[self.state]} {first}"
        return f"{opening}, or else {listing(others)}" if others else opening

    def describe(self, top: int) -> str:
        """The verdict in one line, as the shell shows it, with the `top` most probable digits."""
        marks = f"; {OTHER_MARKS}, try --many" if self.other_marks else ""
        if self.is_sure:
            return "; ".join(filter(None, (f"{self.answer}, {self.headline}", self.alternatives(top)))) + marks
        hint = ", try --many" if self.state == "several digits" else ""
        return f"{self.headline}{hint}{': ' if self.state == 'not sure' else '; '}{self.alternatives(top)}{marks}"

    def as_json(self) -> dict:
        """The fields that `docs/reading.md` describes, all but `path`, `turned` and `reading`."""
        return {
            "prediction": self.answer,
            "confidence": self.confidence,
            "prediction_set": list(self.prediction_set),
            "verdict": self.state,
            "digits_found": self.digits_found,
            "other_marks": self.other_marks,
            "probabilities": [float(probability) for probability in self.probabilities],
        }


def judge(recogniser: Recognizer, images: np.ndarray, prototypes: Prototypes | None = None) -> list[Verdict]:
    """A model's verdicts on images, uint8 (N, 28, 28), from one run of the network.

    The probabilities are calibrated: a network's temperature is in its logits, a forest's on its card, and the card
    also has the threshold. Only models with convolutions can tell what looks like no digit; the first such verdict of a
    model takes a few seconds.

    Args:
        prototypes: a person's corrections as this model has learnt them. They may change its answer, and an image that
            is as good as a corrected one shows a digit.

    Raises:
        FileNotFoundError: the training digits to compare with aren't in the data folder.
        ValueError: the images have another shape or dtype, or the training digits are damaged.
    """
    check_images(images)
    temperature = recogniser.card.get("temperature", 1)
    threshold = recogniser.card["sure"]["threshold"] if "sure" in recogniser.card else SURE_THRESHOLD
    promise = promises.made(recogniser.card)
    coverage = 1 - promise.error_rate
    compares = familiarity.can_judge(recogniser)
    outputs = ("probabilities", "features") if compares or prototypes else ("probabilities",)
    verdicts = []
    for block in blocks_of(images):
        probabilities, *features = recogniser.run(to_input(block), *outputs)
        calibrated, sets = metrics.temper(probabilities, temperature), promise.sets(probabilities)
        given = [
            Verdict(each, threshold, prediction_set=tuple(np.flatnonzero(members).tolist()), coverage=coverage)
            for each, members in zip(calibrated, sets, strict=True)
        ]
        if compares:
            reference = familiarity.reference(recogniser)
            given = [
                replace(verdict, is_familiar=bool(likeness >= reference.least), distance=1 - float(likeness))
                for verdict, likeness in zip(given, reference.likeness(features[0]), strict=True)
            ]
        if prototypes:
            corrected = zip(given, *prototypes.correct(calibrated, features[0]), strict=True)
            given = [_corrected(*each) for each in corrected]
        verdicts += given
    return verdicts


def _corrected(verdict: Verdict, probabilities: np.ndarray, closeness: float) -> Verdict:
    corrected = replace(
        verdict, probabilities=probabilities, is_familiar=verdict.is_familiar or bool(closeness >= AS_GOOD_AS)
    )
    if corrected.answer == verdict.answer:
        return corrected
    # With one digit more, a prediction set keeps its coverage.
    members = tuple(sorted({*verdict.prediction_set, corrected.answer}))
    return replace(corrected, prediction_set=members, uncorrected=verdict.answer)
