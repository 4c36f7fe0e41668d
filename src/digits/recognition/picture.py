"""The verdict on a picture that should show one digit: turned upright if it lies on its side, doubted if it shows more.

In: greyscale pictures, uint8 (height, width). Out: a `Verdict` on each, and the image that it is about.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from digits import preprocess
from digits.checkpoints.recognizer import Recognizer
from digits.preprocess import Prepared
from digits.preprocess.detection import SIDE, find_digits, is_one_piece
from digits.preprocess.segmentation import FoundDigit
from digits.recognition.verdict import Verdict, judge

# A picture that looks like no digit is turned if a quarter turn makes the model sure with at least the second
# confidence, and if it was read with less than the first or is then this many times as close to the training digits. On
# 4,600 upright MNIST digits this turned 3, on 260 upright drawings none; of 1,400 MNIST digits on their side it turned
# 755, 737 of them rightly.
UPRIGHT_CONFIDENCE, TURNED_CONFIDENCE, CLOSER = 0.95, 0.995, 3
TURNS = {1: "counterclockwise", 3: "clockwise"}
UPSIDE_DOWN = "upside down"
# A turned 1 is as good a minus.
BAR = 1


@dataclass(frozen=True)
class Look:
    """What a picture shows, before a model judges it.

    Attributes:
        prepared: the picture as a single digit.
        pieces: the digits and marks on it, with boxes at the size at which several digits are sought; None if it shows
            a single piece of ink, which is quicker to see.
        grey: uint8 (height, width), at the size at which single digits are preprocessed.
    """

    prepared: Prepared
    pieces: Sequence[FoundDigit] | None
    grey: np.ndarray


def look_at(grey: np.ndarray) -> Look:
    """Preprocess a greyscale picture, uint8 (height, width), and count the digits on it.

    Raises:
        ValueError: the picture is blank.
    """
    prepared = preprocess.prepare(grey)
    small = preprocess.at_working_size(grey, SIDE)
    pieces = None
    if not is_one_piece(small):
        try:
            pieces = find_digits(small)
        except ValueError:
            # It isn't blank, so it shows specks, lines or noise.
            pieces = []
    return Look(prepared, pieces, preprocess.at_working_size(grey))


def digits_of(look: Look) -> list[FoundDigit]:
    """The pieces that may be digits."""
    return [piece for piece in look.pieces or () if piece.is_digit]


def judge_looks(recogniser: Recognizer, looks: Sequence[Look]) -> list[tuple[Prepared, Verdict]]:
    """A model's verdicts on pictures, each with the image that was judged, which differs where a picture was turned.

    Raises:
        FileNotFoundError: the training digits to compare with aren't in the data folder.
    """
    if not looks:
        return []
    verdicts = judge(recogniser, np.stack([look.prepared.image for look in looks]))
    return [_checked(recogniser, look, verdict) for look, verdict in zip(looks, verdicts, strict=True)]


def _checked(recogniser: Recognizer, look: Look, verdict: Verdict) -> tuple[Prepared, Verdict]:
    if look.pieces is not None and not look.pieces:
        return look.prepared, replace(verdict, is_familiar=False)
    if len(digits := digits_of(look)) > 1:
        each = judge(recogniser, np.stack([digit.prepared.image for digit in digits]))
        if (count := sum(one.is_familiar for one in each)) > 1:
            return look.prepared, replace(verdict, digits_found=count)
    turned = None if verdict.is_familiar else _turned(recogniser, look, verdict)
    prepared, verdict = turned or (look.prepared, verdict)
    return prepared, replace(verdict, other_marks=max(0, len(look.pieces or ()) - 1))


def _turned(recogniser: Recognizer, look: Look, upright: Verdict) -> tuple[Prepared, Verdict] | None:
    """The picture after a quarter turn if it is a sure digit one way, and no other the other way."""
    turned = [preprocess.prepare(np.ascontiguousarray(np.rot90(look.grey, turn))) for turn in TURNS]
    verdicts = judge(recogniser, np.stack([prepared.image for prepared in turned]))
    sure = [
        (verdict, prepared, direction)
        for verdict, prepared, direction in zip(verdicts, turned, TURNS.values(), strict=True)
        if verdict.is_sure and verdict.confidence >= TURNED_CONFIDENCE and verdict.answer != BAR
        if upright.confidence < UPRIGHT_CONFIDENCE or upright.distance >= CLOSER * verdict.distance
    ]
    if len({verdict.answer for verdict, _, _ in sure}) != 1:
        return None
    verdict, prepared, direction = max(sure, key=lambda each: each[0].confidence)
    return as_turned(prepared, direction), verdict


def as_turned(prepared: Prepared, turn: str) -> Prepared:
    """A digit from a picture that was turned, which its steps say."""
    step = f"turned the picture {in_words(turn)}, because it is clear only then"
    return replace(prepared, steps=(step, *prepared.steps), turn=turn)


def in_words(turn: str) -> str:
    """How a picture was turned, as in "turned by 90° clockwise"."""
    return turn if turn == UPSIDE_DOWN else f"by 90° {turn}"
