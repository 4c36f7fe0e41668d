"""The verdict on a picture that should show one digit: of all plausible readings the clearest, or a doubt.

In: greyscale pictures, uint8 (height, width). Out: a `Verdict` on each, and the image that it is about.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from digits import preprocess
from digits.checkpoints.recognizer import Recognizer
from digits.preprocess import Prepared
from digits.preprocess.detection import SIDE, find_digits, is_one_piece
from digits.preprocess.parts import WITHOUT_PARTS
from digits.preprocess.segmentation import FoundDigit
from digits.recognition import familiarity
from digits.recognition.prototypes import Prototypes
from digits.recognition.verdict import Verdict, judge

# Another reading is chosen if its clearness exceeds the likeliest one's by more than the first. Quarter turns are tried
# if a picture looks like no digit; one is chosen if those with a sure answer agree, and it is clearer by the second.
# With two networks, this turned none of 11,260 upright digits, and of 1,000 on their side 480 and 464, of them 468 and
# 453 correctly.
MARGIN, TURN_MARGIN = 2, 6
TURNS = {1: "counterclockwise", 3: "clockwise"}
UPSIDE_DOWN = "upside down"
# A minus on its side looks like this digit, and so does any piece of another.
BAR = 1


@dataclass(frozen=True)
class Look:
    """What a picture shows, before a model judges it.

    Attributes:
        readings: the picture as a single digit, in every plausible way, the likeliest first.
        pieces: the digits and marks on it, with boxes at the size at which several digits are sought; None if it shows
            a single piece of ink, which is quicker to see.
        grey: uint8 (height, width), at the size at which single digits are preprocessed; None if it is surely upright.
    """

    readings: Sequence[Prepared]
    pieces: Sequence[FoundDigit] | None
    grey: np.ndarray | None


def look_at(grey: np.ndarray) -> Look:
    """Preprocess a greyscale picture, uint8 (height, width), and count the digits on it.

    Raises:
        ValueError: the picture is blank.
    """
    readings = list(preprocess.readings(grey))
    small = preprocess.at_working_size(grey, SIDE)
    pieces = None
    if not is_one_piece(small):
        try:
            pieces = find_digits(small)
        except ValueError:
            # It isn't blank, so it shows specks, lines or noise.
            pieces = []
    return Look(readings, pieces, preprocess.at_working_size(grey))


def digits_of(look: Look) -> list[FoundDigit]:
    """The pieces that may be digits."""
    return [piece for piece in look.pieces or () if piece.is_digit]


def judge_looks(
    recogniser: Recognizer, looks: Sequence[Look], prototypes: Prototypes | None = None
) -> list[tuple[Prepared, Verdict]]:
    """A model's verdicts on pictures, each with the image that was judged: of all readings, the clearest.

    Models without convolutions get only the likeliest reading, because they are confident about anything.

    Args:
        prototypes: a person's corrections, as for `judge`.

    Raises:
        FileNotFoundError: the training digits to compare with aren't in the data folder.
    """
    if not looks:
        return []
    ranks = familiarity.can_judge(recogniser)
    readings = [list(look.readings) if ranks else [look.readings[0]] for look in looks]
    ask = partial(judge, recogniser, prototypes=prototypes)
    verdicts = iter(ask(np.stack([each.image for several in readings for each in several])))
    return [
        _checked(ask, look, [(reading, next(verdicts)) for reading in several])
        for look, several in zip(looks, readings, strict=True)
    ]


def _checked(
    ask: Callable[[np.ndarray], list[Verdict]], look: Look, judged: list[tuple[Prepared, Verdict]]
) -> tuple[Prepared, Verdict]:
    prepared, verdict = _clearest(judged, MARGIN)
    if prepared.reading not in ("", WITHOUT_PARTS):
        # In this reading all ink is one digit; the pieces were found in the likeliest reading.
        return explained(prepared), verdict
    if look.pieces is not None and not look.pieces:
        return prepared, replace(verdict, is_familiar=False)
    if len(digits := digits_of(look)) > 1:
        each = ask(np.stack([digit.prepared.image for digit in digits]))
        if (count := sum(one.is_familiar for one in each)) > 1:
            return explained(prepared), replace(verdict, digits_found=count)
    if look.grey is not None and not verdict.is_familiar:
        turned = [
            as_turned(preprocess.prepare(np.ascontiguousarray(np.rot90(look.grey, turn))), direction)
            for turn, direction in TURNS.items()
        ]
        verdicts = ask(np.stack([each.image for each in turned]))
        sure = [each for each in zip(turned, verdicts, strict=True) if each[1].is_sure and each[1].answer != BAR]
        if len({each.answer for _, each in sure}) == 1:
            prepared, verdict = _clearest([(prepared, verdict), *sure], TURN_MARGIN)
    return explained(prepared), replace(verdict, other_marks=max(0, len(look.pieces or ()) - 1))


def _clearest(judged: Sequence[tuple[Prepared, Verdict]], margin: float) -> tuple[Prepared, Verdict]:
    """The reading with the clearest verdict, or the first unless another is clearer by a margin."""
    (_, likeliest), *others = judged
    others = [each for each in others if each[1].answer != BAR or each[0].reading != WITHOUT_PARTS]
    clearest = max(others, key=lambda each: each[1].clearness, default=judged[0])
    return clearest if clearest[1].clearness > likeliest.clearness + margin else judged[0]


def as_turned(prepared: Prepared, turn: str) -> Prepared:
    """A digit from a picture that was turned."""
    return replace(prepared, reading=f"turned {turn if turn == UPSIDE_DOWN else f'by 90° {turn}'}", turn=turn)


def explained(prepared: Prepared) -> Prepared:
    """A digit whose first step says how the picture was read, if that isn't the likeliest way."""
    step = f"{prepared.reading}, because that shows a clearer digit"
    return replace(prepared, steps=(step, *prepared.steps)) if prepared.reading else prepared
