"""My handwriting: digits kept with their true label, how well each model reads them, and a model that learns them."""

import numpy as np
import streamlit as st

from digits import paths
from digits.handwriting import collection, dataset
from digits.handwriting.collection import Entry
from digits.metrics import intervals
from digits.recognition.verdict import Verdict
from digits.reporting import thumbnails
from digits.reporting.words import a_digit, listing
from panels import cache, page
from panels.cache import Model
from panels.draw import Drawing
from panels.handwriting import finetuning, sheets
from panels.page import escape

SHOWN = 20
GOOD_START = 10


def show(drawing: Drawing | None, verdict: Verdict | None, model: Model | None) -> None:
    """Show the collection by class, let the visitor add to it, compare models on it, and fine-tune one on it."""
    if cache.IS_PUBLIC:
        st.caption("On this public page nothing is saved. Run the workbench yourself to collect your own handwriting.")
        return
    with page.guarded("Saving"):
        _offer_to_save(drawing, verdict)
    with st.expander("Collect digits from paper"), page.guarded("The sheet"):
        sheets.show(model)
    if entries := collection.entries(paths.MY_DIGITS):
        left, right = st.columns([0.55, 0.45], gap="medium")
        with left, page.guarded("The collection"):
            _show_collection(entries)
        with right, page.guarded("The comparison"):
            _compare_models(entries)
    else:
        st.caption(
            "Nothing is saved yet. Draw a digit, say which one it is, and save it: ten of each are a good start."
        )
    with page.guarded("Fine-tuning"):
        finetuning.show(model)


def _offer_to_save(drawing: Drawing | None, verdict: Verdict | None) -> None:
    if drawing is None:
        st.caption("Draw a digit to save it.")
        return
    guess = drawing.label if drawing.label is not None else verdict.answer if verdict else 0
    digit = st.segmented_control(
        "Which digit is it really?", range(10), default=guess, required=True, key=f"true {drawing.key} {guess}"
    )
    if st.button(f"Save it as {a_digit(digit)}", icon=":material/save:", type="primary"):
        path = collection.save(drawing.picture, digit, paths.MY_DIGITS)
        st.toast(page.literal(f"Saved as my_digits/{digit}/{path.name}"))


def _show_collection(entries: list[Entry]) -> None:
    st.html(f"<p class='heading'>{len(entries)} digit{'s' * (len(entries) != 1)} in <code>my_digits/</code></p>")
    readable = {digit: [] for digit in range(10)}
    for entry in entries:
        if entry.image is not None:
            readable[entry.digit].append(entry.image)
    for digit, mine in readable.items():
        images = "".join(
            page.picture(thumbnails.on_paper(image), f"{a_digit(digit)} of yours", 36) for image in mine[-SHOWN:]
        )
        more = f" <small>and {len(mine) - SHOWN} more</small>" if len(mine) > SHOWN else ""
        st.html(
            f"<div class='shelf'><b>{digit} <small>{len(mine)}</small></b>"
            f"<span>{images or '<small>none</small>'}{more}</span></div>"
        )
    st.caption(_what_is_missing([len(mine) for mine in readable.values()]))
    for entry in entries:
        if entry.problem:
            name = page.literal(entry.path.name)
            st.warning(f"my_digits/{entry.digit}/{name} is left out: {page.sentence(entry.problem)}")
    with st.expander("Remove one"):
        names = {f"{entry.digit}/{entry.path.name}": entry for entry in entries}
        name = st.selectbox("Picture", names, key="removed")
        entry = names[name]
        if entry.image is not None:
            st.html(page.picture(thumbnails.on_paper(entry.image), f"{a_digit(entry.digit)} of yours", 84))
        if st.button("Remove it", icon=":material/delete:"):
            collection.remove(entry.path.name, entry.digit, paths.MY_DIGITS)
            st.rerun()


def _what_is_missing(counts: list[int]) -> str:
    least = dataset.LEAST_A_CLASS
    if few := [f"{least - count} more of {digit}" for digit, count in enumerate(counts) if count < least]:
        return f"Fine-tuning needs at least {least} of each digit: {listing(few)}."
    if few := [str(digit) for digit, count in enumerate(counts) if count < GOOD_START]:
        return f"Enough to begin fine-tuning. Ten of each are a good start: there are fewer of {listing(few)}."
    return "At least ten of each: a good start for fine-tuning."


def _compare_models(entries: list[Entry]) -> None:
    st.html("<p class='heading'>How well the models read your digits</p>")
    readable = [entry for entry in entries if not entry.problem]
    if not readable:
        return
    images = np.stack([entry.image for entry in readable if entry.image is not None])
    labels = np.array([entry.digit for entry in readable])
    rows, is_trained = [], False
    for name in cache.model_names():
        with page.guarded(name):
            model = cache.open_model(name)
            answers = cache.own_probabilities(model, images).argmax(axis=1)
            right = int((answers == labels).sum())
            low, high = intervals.wilson_interval(right, len(labels))
            is_personal = model.recogniser.card.get("own_digits", {}).get("folder", dataset.SAMPLE) != dataset.SAMPLE
            remark = "<br><small>fine-tuned on your digits</small>" if is_personal else ""
            is_trained |= is_personal
            rows.append(
                f"<tr><th scope='row'>{escape(name)}{remark}</th><td>{right} of {len(labels)}</td>"
                f"<td>{right / len(labels):.1%}</td><td>{low:.0%} – {high:.0%}</td></tr>"
            )
    st.html(page.table(["Model", "Right", "Accuracy", "95 % interval"], rows, "mine"))
    if is_trained:
        st.caption(
            "A model's accuracy on the digits that it was fine-tuned on says little. Its accuracy on held-out digits "
            "is below."
        )
