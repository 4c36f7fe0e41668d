"""Verdict: which digit it is, how sure the model is, and what else it might be."""

from dataclasses import dataclass
from html import escape

import numpy as np
import streamlit as st

from panels import page

# For models whose card doesn't say from which confidence on they are sure. Confidence is calibrated, so below this more
# than one answer in five is wrong on digits like those of validation.
LEAST_CONFIDENCE = 0.8


@dataclass(frozen=True)
class Verdict:
    """A model's answer.

    Attributes:
        probabilities: of the ten digits, (10,).
        least_confidence: what the most probable one's has to be for the model to be sure.
        is_familiar: the image looks like digits that the model learnt from.
    """

    probabilities: np.ndarray
    least_confidence: float = LEAST_CONFIDENCE
    is_familiar: bool = True

    @property
    def answer(self) -> int:
        """The most probable digit."""
        return int(self.probabilities.argmax())

    @property
    def confidence(self) -> float:
        """Its probability."""
        return float(self.probabilities.max())

    @property
    def is_sure(self) -> bool:
        """Whether the answer is worth relying on."""
        return self.is_familiar and self.confidence >= self.least_confidence

    @property
    def ranked(self) -> list[tuple[int, float]]:
        """Digits with their probabilities, the most probable first."""
        order = np.argsort(-self.probabilities, kind="stable")
        return [(int(digit), float(self.probabilities[digit])) for digit in order]


def show(verdict: Verdict, label: int | None) -> None:
    """Show the answer large, what else it might be, and all ten probabilities."""
    (first, confidence), *others = verdict.ranked[:3]
    also = page.listing([f"{digit} ({page.percent(probability)})" for digit, probability in others])
    if verdict.is_sure:
        headline = escape(f"{page.percent(confidence)} sure")
        detail = escape(f"Next: {also}")
    elif not verdict.is_familiar:
        headline = "Not sure that it is a digit"
        detail = escape(
            f"It looks unlike those that this model learnt from. If it is one: {first} ({page.percent(confidence)}), "
            f"or else {also}"
        )
    else:
        headline = "Not sure"
        detail = escape(f"Perhaps {first} ({page.percent(confidence)}), or else {also}")
    if label is not None:
        detail += f"<br>In truth it is a {label}: {'right' if label == first else '<b>wrong</b>'}."
    st.html(
        f'<div class="verdict {"sure" if verdict.is_sure else "unsure"}" role="status">'
        f'<span class="answer">{first}</span>'
        f"<span><strong>{headline}</strong><br>{detail}</span></div>" + page.probability_bars(verdict.probabilities)
    )


def show_nothing() -> None:
    """Say that there is nothing to recognise yet."""
    st.html(
        '<div class="verdict nothing" role="status"><span class="answer">?</span><span><strong>Nothing drawn</strong>'
        "<br>Draw a digit from 0 to 9; the answer comes after every stroke.</span></div>"
    )
