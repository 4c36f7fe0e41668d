"""Fine-tuning a model on one's own digits, in the queue of heavy work."""

import json
from contextlib import suppress
from pathlib import Path

import streamlit as st

from digits import paths
from digits.checkpoints import cards
from digits.handwriting import dataset
from digits.handwriting.dataset import Handwriting
from digits.jobs.queue import UNDER_WAY, Job
from digits.reporting import thumbnails
from digits.reporting.words import a_digit
from panels import cache, page
from panels.cache import Model
from panels.handwriting import gains
from panels.handwriting.gains import NAME
from panels.page import escape

SHOWN_REMARKS = 8
# The files in which a fine-tuning says how far it is, and what came of it.
PROGRESS, RESULT = "progress.json", "result.json"


def show(model: Model | None) -> None:
    """Offer to fine-tune a model, watch it being done, and show what the last fine-tuning has changed."""
    st.html("<p class='heading'>Teach a model your handwriting</p>")
    try:
        mine, problem = dataset.load(paths.MY_DIGITS), ""
    except (ValueError, OSError) as error:
        mine, problem = None, page.sentence(error)
    job = jobs()[-1] if jobs() else None
    is_under_way = job is not None and job.state in UNDER_WAY
    with page.guarded("Fine-tuning"):
        if is_under_way:
            _watch()
        elif job:
            _say_how_it_ended(job)
    with page.guarded("Before and after"):
        gains.show(mine)
    with page.guarded("Fine-tuning"):
        if not is_under_way:
            _offer(model, mine, problem)


@st.cache_resource(show_spinner=False)
def jobs() -> list[Job]:
    """The fine-tunings since the server started; all sessions share them, as they share the digits and the model."""
    return []


def start(base: Model) -> None:
    """Queue the fine-tuning of a checkpoint on the collection.

    Raises:
        ValueError: the queue is full.
        OSError: the files of the last one can't be deleted.
    """
    for earlier in (PROGRESS, RESULT):
        (_folder() / earlier).unlink(missing_ok=True)
    script = [paths.ROOT / "src" / "finetune_on_custom.py", "--digits-dir", paths.MY_DIGITS]
    job = cache.queue().submit(
        f"Fine-tuning {base.name}",
        [*script, "--base", base.recogniser.path, "--output-dir", paths.MODELS, "--report-dir", _folder()],
        progress=lambda: _read(PROGRESS)["share"],
    )
    jobs().append(job)


def _offer(model: Model | None, mine: Handwriting | None, problem: str) -> None:
    if model is None:
        st.caption("In the sidebar, choose a model that can be opened.")
        return
    base = _base_of(model)
    name = page.literal(base.name)
    if not base.recogniser.network:
        st.info(f"{name} can't be fine-tuned, only a network in models/ can: choose another model in the sidebar.")
        return
    label = "Fine-tune on my digits"
    if mine is None:
        st.info(f"Not yet: {problem}.")
    else:
        whose = "your"
        if mine.folder.name == dataset.SAMPLE:
            label, whose = "Try it with the sample digits", "a simulated writer's"
            st.caption("Until you save digits of your own, you can try it with a simulated writer's.")
        answers = cache.own_probabilities(base, mine.digits.images).argmax(axis=1)
        wrong = int((answers != mine.digits.labels).sum())
        if not wrong:
            st.info(
                f"{name} already reads all {len(mine.digits)} of {whose} digits, so fine-tuning has nothing to gain. "
                "Save digits that it misreads, or choose another model in the sidebar."
            )
            return
        _show_remarks(mine, base)
        again = (
            "" if base is model else f" {page.literal(model.name)} is fine-tuned already, so this starts from its base."
        )
        st.caption(
            f"{name} misreads {wrong} of {whose} {len(mine.digits)} digits. Fine-tuning leaves it as it is and makes "
            f"another model, {NAME}.{again}{_last_time()}"
        )
    if st.button(label, icon=":material/school:", disabled=mine is None):
        start(base)
        st.rerun()


def _last_time() -> str:
    """How long the last fine-tuning took here."""
    with suppress(OSError, ValueError, TypeError, KeyError):
        return f" The last one took {cards.duration(_read(RESULT)['seconds'])} on this computer."
    return ""


def _folder() -> Path:
    return paths.REPORTS / "app" / "finetuning"


def _base_of(model: Model) -> Model:
    """The model to start from: for a personal one, the base that it was made from."""
    card = model.recogniser.card
    return cache.open_model(card["base"]["name"]) if "own_digits" in card else model


def _show_remarks(mine: Handwriting, base: Model) -> None:
    suspects = dataset.suspects(mine, base.recogniser)
    # The first two lines count the digits.
    if remarks := [page.sentence(line) for line in dataset.describe(mine)[2:]]:
        st.warning("\n".join(f"- {line[0].upper()}{line[1:]}" for line in _shortened(remarks)))
    if suspects:
        figures = _shortened([_suspect(mine, name, reason) for name, reason in suspects.items()])
        st.html(
            "<p class='heading'>Please check these first: are their labels right?</p>"
            f"<div class='digits doubts'>{''.join(figures)}</div>"
        )


def _shortened(remarks: list[str]) -> list[str]:
    more = len(remarks) - SHOWN_REMARKS
    return [*remarks[:SHOWN_REMARKS], *([f"and {more} more"] if more > 0 else [])]


def _suspect(mine: Handwriting, name: str, reason: str) -> str:
    index = mine.names.index(name)
    picture = page.picture(thumbnails.on_paper(mine.digits.images[index]), name, 84)
    words = f"saved as {a_digit(mine.digits.labels[index])}, but {reason}"
    return f"<figure title='{escape(name)}'>{picture}<figcaption>{escape(words)}</figcaption></figure>"


@st.fragment(run_every=1)
def _watch() -> None:
    job = jobs()[-1]
    if job.state not in UNDER_WAY:
        st.rerun()
    st.progress(job.progress, f"{page.literal(job.title)}: {_how_far(job)}")
    st.button("Cancel", on_click=job.cancel, key="cancel fine-tuning")


def _how_far(job: Job) -> str:
    left = None
    if job.state == "waiting":
        return f"{job.position} ahead of it"
    with suppress(OSError, ValueError, TypeError, KeyError):
        left = _read(PROGRESS)["seconds_left"]
    if left is None:
        return f"{job.seconds:.0f} s so far; TensorFlow is starting. Once training begins, the remaining time is shown"
    return f"{job.progress:.0%}, {job.seconds:.0f} s so far, about {cards.duration(max(1, left))} left"


def _read(name: str) -> dict:
    return json.loads((_folder() / name).read_text(encoding="utf-8"))


def _say_how_it_ended(job: Job) -> None:
    if job.state == "failed":
        st.error(page.sentence(f"Fine-tuning failed: {job.error}"))
    elif job.state == "cancelled":
        st.info("Fine-tuning was cancelled; no model has changed.")
    else:
        result = _read(RESULT)
        if result["model"]:
            st.success(f"{NAME} is ready: this is what it gains and what it costs.")
        else:
            earlier = f" The earlier {NAME} stays as it was." if NAME in cache.model_names() else ""
            base = page.literal(result["base"])
            st.info(f"Fine-tuning {base} gains nothing on these digits, so no new model was kept.{earlier}")
