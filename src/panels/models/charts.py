"""Charts of models side by side: robustness, calibration, training and errors."""

import altair as alt
import numpy as np
import streamlit as st

from digits import metrics
from digits.corruptions import CORRUPTIONS
from digits.jobs.queue import UNDER_WAY
from digits.reporting import thumbnails
from digits.reporting.words import percent
from panels import cache, page
from panels.cache import Model
from panels.models import sweeps
from panels.page import escape

SHOWN_ERRORS = 24
HALVES = [0.6, 0.4]
COLOURS = ["#2f6fd6", "#d9732b", "#2e9e5b", "#9467bd"]


def robustness(models: list[Model]) -> None:
    """Show accuracy by severity, and offer a sweep to models without one."""
    picture, words = st.columns(HALVES, gap="medium")
    kind = words.selectbox(
        "Corruption",
        [sweeps.MEAN, *CORRUPTIONS],
        format_func=lambda name: name.replace("_", " "),
        key="corruption",
        persist_state="page",
    )
    known = {model.name: sweeps.known(model) for model in models}
    rows = [
        {"model": name, "severity": severity, "accuracy": accuracy, "low": low, "high": high}
        for name, sweep in known.items()
        if sweep
        for severity, accuracy, low, high in sweep.curves[kind]
    ]
    if rows:
        x = alt.X("severity:Q", title="severity", axis=alt.Axis(values=list(range(6)), format="d"))
        base = _chart(rows, models).encode(x=x)
        band = base.mark_area(opacity=0.2).encode(y=alt.Y("low:Q", scale=alt.Scale(domain=[0, 1])), y2=alt.Y2("high:Q"))
        line = base.mark_line(point=True).encode(
            y=alt.Y("accuracy:Q", title="accuracy", axis=alt.Axis(format=".0%")),
            tooltip=["model:N", "severity:Q", alt.Tooltip("accuracy:Q", format=".2%")],
        )
        with picture:
            _show_chart(band + line, f"Accuracy by severity under {kind.replace('_', ' ')}")
    with words:
        st.caption(
            "The accuracy on MNIST's test digits under corruptions of growing severity; 0 is without corruption."
        )
        for model in models:
            sweep = known[model.name]
            if sweep is None or sweep.images <= sweeps.QUICK_IMAGES:
                has = "no corruption sweep yet" if sweep is None else f"only a quick sweep, on {sweep.images:,} digits"
                st.caption(f"{page.literal(model.name)} has {has}.")
                if not cache.IS_PUBLIC:
                    _offer_sweep(model, again=sweep is not None)


def _offer_sweep(model: Model, again: bool) -> None:
    jobs = st.session_state.setdefault("sweeps", {})
    job = jobs.get(model.key)
    if job and job.state in UNDER_WAY:
        _watch(model.key)
        return
    if job and job.state == "failed":
        st.error(page.sentence(f"The sweep failed: {job.error}"))
    if job and job.state == "done" and not again:
        st.error("The sweep has finished, but its report is missing.")
    words = f"Run a quick sweep of {page.literal(model.name)}{' again' if again else ''}"
    if st.button(words, icon=":material/play_arrow:", key=f"sweep {model.key}"):
        with page.guarded("The queue"):
            jobs[model.key] = sweeps.start_quick(model)
            st.rerun()


@st.fragment(run_every=1)
def _watch(key: str) -> None:
    job = st.session_state.sweeps[key]
    if job.state not in UNDER_WAY:
        st.rerun()
    text = f"{page.literal(job.title)}: " + (
        f"{job.position} ahead of it" if job.state == "waiting" else f"{job.progress:.0%}"
    )
    st.progress(job.progress, text)
    st.button("Cancel", on_click=job.cancel, key=f"cancel {key}")


def calibration(models: list[Model]) -> None:
    """Show accuracy by confidence on MNIST's test digits."""
    digits = cache.test_digits()
    rows = []
    for model in models:
        diagram = metrics.reliability(cache.test_probabilities(model), digits.labels)
        rows += [
            {"model": model.name, "confidence": float(confidence), "accuracy": float(accuracy), "answers": int(count)}
            for confidence, accuracy, count in zip(diagram.confidence, diagram.accuracy, diagram.counts, strict=True)
            # An accuracy of fewer answers means little.
            if count >= 10
        ]
    ideal = alt.Chart(alt.Data(values=[{"x": 0.0, "y": 0.0}, {"x": 1.0, "y": 1.0}]))
    ideal = ideal.mark_line(strokeDash=[4, 4], color="grey").encode(x="x:Q", y="y:Q")
    scale = alt.Scale(domain=[0, 1])
    shares = [alt.Tooltip("confidence:Q", format=".1%"), alt.Tooltip("accuracy:Q", format=".1%")]
    lines = (
        _chart(rows, models)
        .mark_line(point=True)
        .encode(
            x=alt.X("confidence:Q", title="confidence", scale=scale, axis=alt.Axis(format=".0%")),
            y=alt.Y("accuracy:Q", title="accuracy", scale=scale, axis=alt.Axis(format=".0%")),
            tooltip=["model:N", *shares, "answers:Q"],
        )
    )
    picture, words = st.columns(HALVES, gap="medium")
    with picture:
        _show_chart(ideal + lines, "Accuracy by confidence, beside the diagonal of perfect calibration")
    words.caption(
        "Is the confidence calibrated? On the dashed line, 90 % of the answers with a confidence of 90 % are right. "
        "Below it, a model is overconfident; above it, underconfident."
    )
    words.caption(
        "10,000 test digits in bins of equal width; bins with fewer than ten answers are left out. These are the "
        "models' own probabilities; elsewhere on this page, a forest's are calibrated with the temperature on its card."
    )


def training(models: list[Model]) -> None:
    """Show the validation error by epoch."""
    histories = {model.name: model.recogniser.card.get("training", {}).get("history") for model in models}
    rows = [
        {"model": name, "epoch": epoch, "error": 1 - accuracy}
        for name, history in histories.items()
        if history
        for epoch, accuracy in enumerate(history["val_accuracy"], start=1)
    ]
    if not rows:
        st.caption("None of these models was trained in epochs.")
        return
    error = alt.Y("error:Q", title="error rate", scale=alt.Scale(type="log"), axis=alt.Axis(format=".1%"))
    tooltip = ["model:N", "epoch:Q", alt.Tooltip("error:Q", format=".2%")]
    epoch = alt.X("epoch:Q", axis=alt.Axis(format="d"))
    chart = _chart(rows, models).mark_line(point=True).encode(x=epoch, y=error, tooltip=tooltip)
    picture, words = st.columns(HALVES, gap="medium")
    with picture:
        _show_chart(chart, "Validation error by epoch")
    words.caption("The error rate on the 5,000 validation digits after each epoch of training, on a logarithmic scale.")


def errors(models: list[Model]) -> None:
    """Show which digits one of the models confuses, and the digits behind the cell that is clicked."""
    names = [model.name for model in models]
    picture, words = st.columns(HALVES, gap="medium")
    model = models[names.index(picture.selectbox("Errors of", names, key="errors_of", persist_state="page"))]
    digits = cache.test_digits()
    with picture:
        probabilities = cache.test_probabilities(model)
    answers = probabilities.argmax(axis=1)
    confusion = metrics.confusion_matrix(answers, digits.labels)
    event = picture.altair_chart(
        _confusion_chart(confusion), key="confusion", on_select="rerun", alt=f"Confusion matrix of {model.name}"
    )
    clicked = event["selection"].get("cell")
    pairs = [pair[:2] for pair in metrics.most_confused(confusion, 12)]
    if clicked:
        pair = clicked[0]["true"], clicked[0]["answer"]
        if pair not in pairs:
            pairs.insert(0, pair)
        # A click replaces what was chosen below.
        if st.session_state.get("clicked_cell") != pair:
            st.session_state.clicked_cell = st.session_state.confused_pair = pair
    if not pairs:
        words.caption("It makes no errors.")
        return
    true, answer = words.selectbox(
        "Click a cell, or choose",
        pairs,
        format_func=lambda pair: f"{pair[0]} read as {pair[1]} ({confusion[pair]})",
        key="confused_pair",
        persist_state="page",
    )
    found = np.flatnonzero((digits.labels == true) & (answers == answer))
    surest_first = found[np.argsort(-probabilities[found, answer], kind="stable")][:SHOWN_ERRORS]
    figures = "".join(
        f"<figure>{page.picture(thumbnails.on_paper(digits.images[index]), f'test digit {index}', 48)}"
        f"<figcaption>{escape(percent(probabilities[index, answer]))}</figcaption></figure>"
        for index in surest_first
    )
    words.html(f'<div class="digits">{figures}</div>')
    words.caption(f"Test digits {true} that are read as {answer}, the most confident first.")


def _confusion_chart(confusion: np.ndarray) -> alt.LayerChart | alt.FacetChart:
    rows = [
        {"true": true, "answer": answer, "count": int(confusion[true, answer]),
         # With the many correct answers on the colour scale, errors would be white.
         "errors": int(confusion[true, answer]) if true != answer else 0}
        for true in range(10)
        for answer in range(10)
    ]  # fmt: skip
    cell = alt.selection_point(name="cell", fields=["true", "answer"], on="click", empty=False)
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X("answer:O", title="answer", axis=alt.Axis(labelAngle=0)), y=alt.Y("true:O", title="true digit")
    )
    fields = ["true:O", "answer:O", "count:Q"]
    tiles = base.mark_rect(stroke="grey", strokeWidth=0.3).encode(
        color=alt.condition(
            "datum.errors > 0",
            alt.Color("errors:Q", scale=alt.Scale(scheme="oranges"), legend=None),
            alt.value("transparent"),
        ),
        tooltip=fields,
    )
    numbers = base.mark_text(fontSize=11).encode(
        text="count:Q",
        tooltip=fields,
        opacity=alt.condition("datum.count > 0", alt.value(1), alt.value(0)),
        # Black on orange; elsewhere a grey that is legible in the light and the dark theme.
        color=alt.condition("datum.errors > 0", alt.value("black"), alt.value("#767676")),
    )
    return (tiles.add_params(cell) + numbers).properties(height=340)


def _chart(rows: list[dict], models: list[Model]) -> alt.Chart:
    """A chart of rows, coloured by model."""
    names = [model.name for model in models]
    legend = alt.Legend(orient="bottom", title=None, columns=2, symbolOpacity=1)
    colour = alt.Color("model:N", scale=alt.Scale(domain=names, range=COLOURS[: len(names)]), legend=legend)
    return alt.Chart(alt.Data(values=rows)).encode(color=colour)


def _show_chart(chart: alt.Chart | alt.LayerChart | alt.FacetChart, words: str) -> None:
    # All entries of the menu would leave the page.
    st.altair_chart(chart.properties(height=300, usermeta={"embedOptions": {"actions": False}}), alt=words)
