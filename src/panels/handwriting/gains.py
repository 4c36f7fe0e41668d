"""Before and after: what fine-tuning gained on the user's digits, and what it cost on MNIST's."""

import streamlit as st

from digits.handwriting import dataset
from digits.handwriting.dataset import Handwriting
from panels import cache, page
from panels.page import escape

NAME = "mnist_finetuned"


def show(mine: Handwriting | None) -> None:
    """Compare the personal model, if there is one, with its base, on held-out handwriting and on MNIST.

    Args:
        mine: the collection as it is now; None if there are too few digits.
    """
    if NAME not in cache.model_names():
        return
    card = cache.open_model(NAME).recogniser.card
    if "own_digits" not in card:
        return
    own, base = card["own_digits"], card["base"]
    st.html(f"<p class='heading'>Before and after: {escape(base['name'])} and {NAME}</p>")
    left, right = st.columns([0.55, 0.45], gap="medium")
    with left:
        st.html(page.table(["", "Before", "After"], [_own_row(own), _test_row(card["scores"]["test"], base)], "change"))
        st.caption(
            "In the first row, each digit was read by a model not trained on it. 95 % intervals are in small type."
        )
        if mine and mine.sha256 != own["sha256"]:
            st.caption("Your collection has changed since; fine-tune again to use all of it.")
        if st.session_state.get("model") != NAME:
            st.caption(f"To use it, choose {NAME} under *Model* in the sidebar, or here:")
            st.button(f"Use {NAME}", icon=":material/check:", on_click=st.session_state.update, kwargs={"model": NAME})
    with right:
        st.html(_gains(own))


def _own_row(own: dict) -> str:
    cells = "".join(f"<td>{_score(own[when], 1)}</td>" for when in ("before", "after"))
    whose = "The sample's" if own["folder"] == dataset.SAMPLE else "Your"
    return f"<tr><th scope='row'>{whose} {own['after']['n']} digits</th>{cells}</tr>"


def _test_row(after: dict, base: dict) -> str:
    before, change = None, ""
    if base["name"] in cache.model_names():
        card = cache.open_model(base["name"]).recogniser.card
        # A base that was trained anew meanwhile isn't what this model began with.
        same = card.get("checkpoint", {}).get("sha256") == base["sha256"]
        if same and (before := card["scores"].get("test")):
            points = 100 * (after["accuracy"] - before["accuracy"])
            change = f"<br><small>{points:+.2f} points</small>".replace("-", "−")
    return (
        f"<tr><th scope='row'>MNIST's {after['n']:,} test digits<br><small>forgetting</small></th>"
        f"<td>{_score(before, 2) if before else '–'}</td><td>{_score(after, 2)}{change}</td></tr>"
    )


def _score(score: dict, decimals: int) -> str:
    low, high = (f"{end:.{decimals}%}" for end in score["interval"])
    return f"<b>{score['accuracy']:.{decimals}%}</b> <small>{score['correct']:,} correct<br>{low} – {high}</small>"


def _gains(own: dict) -> str:
    right = own["right_by_class"]
    rows = []
    for digit, (before, after, count) in enumerate(zip(right["before"], right["after"], own["counts"], strict=True)):
        bars = (
            f"<i style='width:{100 * before / count:.0f}%'></i>"
            f"<i class='after' style='width:{100 * after / count:.0f}%'></i>"
        )
        rows.append(
            f"<div class='gain'><b>{digit}</b><span class='track'>{bars}</span>"
            f"<span>{before} → {after} of {count}</span></div>"
        )
    legend = "<div class='legend'><i></i> before <i class='after'></i> after: correct answers</div>"
    return f"<div class='gains'>{legend}{''.join(rows)}</div>"
