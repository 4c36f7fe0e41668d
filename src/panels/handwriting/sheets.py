"""Digits from paper: sheets to print, and the digits on a filled-in sheet, reviewed before they are saved."""

import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import streamlit as st

from digits import paths
from digits.handwriting import importing, sheet
from digits.handwriting.importing import Candidate
from digits.reporting import thumbnails
from panels import page
from panels.cache import Model
from panels.draw import LARGEST_UPLOAD_MB, SUFFIXES
from panels.page import escape

# Errors call the uploaded file this; its own name is never used as a path.
PHOTO = "the picture"


def show(model: Model | None) -> None:
    """Offer sheets to print, and read a filled-in one, whose digits are saved after the visitor has reviewed them."""
    st.markdown(
        "**Print** a sheet at full size, **write** each digit ten times, and **upload** a photo or scan of the whole "
        "page: flat, sharp and evenly lit, with all four corner marks."
    )
    with st.container(horizontal=True, gap="small"):
        for paper in sheet.PAPERS:
            st.download_button(
                f"Sheet, {paper.capitalize()}",
                partial(printable, paper),
                f"digits_sheet_{paper}.pdf",
                "application/pdf",
                icon=":material/print:",
                on_click="ignore",
            )
    # A new key gives an empty uploader.
    number = st.session_state.setdefault("saved_sheets", 0)
    file = st.file_uploader(
        "A photo or scan of a filled-in sheet", type=SUFFIXES, max_upload_size=LARGEST_UPLOAD_MB, key=f"sheet {number}"
    )
    st.caption(page.HEIC_ADVICE)
    saved, *refused = st.session_state.pop("saved_sheet", [""])
    if saved:
        st.success(saved)
    for reason in refused:
        st.warning(f"Not saved: {page.sentence(reason)}")
    if not file:
        return
    if model is None:
        st.caption("There is no model to check the labels: choose another one in the sidebar.")
    else:
        with page.guarded("Reading the sheet"):
            _review(file.getvalue(), model)


@st.cache_resource(show_spinner=False)
def printable(paper: str) -> bytes:
    """The sheet to print, as a PDF."""
    with tempfile.TemporaryDirectory() as folder:
        files = sheet.write(Path(folder), paper)
        return next(file for file in files if file.suffix == ".pdf").read_bytes()


@st.cache_resource(max_entries=4, show_spinner="Reading the sheet")
def _read(content: bytes) -> list[Candidate]:
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder) / PHOTO
        photo.write_bytes(content)
        return importing.from_photos([photo]).candidates


def _review(content: bytes, model: Model) -> None:
    candidates = importing.review(_read(content), model.recogniser)
    if not candidates:
        st.warning("All boxes on this sheet are empty.")
        return
    doubtful = [candidate for candidate in candidates if candidate.doubt]
    st.html(
        f"<p class='heading'>{importing.counted(len(candidates))} on this sheet, {len(doubtful) or 'none'} doubtful</p>"
        f"<div class='sheet'>{''.join(_row(digit, candidates) for digit in range(10))}</div>"
    )
    chosen = [candidate for candidate in candidates if not candidate.doubt]
    if doubtful:
        st.html(
            f"<p class='heading'>Please check {'this one' if len(doubtful) == 1 else 'these'}</p>"
            f"<div class='digits doubts'>{''.join(map(_doubt, doubtful))}</div>"
        )
        label = "Also save the doubtful one" if len(doubtful) == 1 else f"Also save the {len(doubtful)} doubtful ones"
        if st.checkbox(label, key="doubtful"):
            chosen = candidates
    words = f"Save {importing.counted(len(chosen))}"
    if st.button(words, icon=":material/save:", type="primary", disabled=not chosen, key="save sheet"):
        kept = importing.keep(chosen, paths.MY_DIGITS)
        known = f"; {kept.known} {'was' if kept.known == 1 else 'were'} already there" if kept.known else ""
        st.session_state.saved_sheet = [f"Saved {importing.counted(kept.new)} in my_digits/{known}.", *kept.refused]
        st.session_state.saved_sheets += 1
        st.rerun()


def _row(digit: int, candidates: Sequence[Candidate]) -> str:
    mine = [candidate for candidate in candidates if candidate.digit == digit]
    images = "".join(
        f"<span{' class=doubtful' if candidate.doubt else ''}>"
        f"{page.picture(thumbnails.on_paper(candidate.image), _box(candidate), 36)}</span>"
        for candidate in mine
    )
    return (
        f"<div class='shelf'><b>{digit} <small>{len(mine)}</small></b>"
        f"<span>{images or '<small>none</small>'}</span></div>"
    )


def _doubt(candidate: Candidate) -> str:
    words = f"{_box(candidate)}: {candidate.doubt}"
    return f"<figure>{page.picture(candidate.picture, words, 84)}<figcaption>{escape(words)}</figcaption></figure>"


def _box(candidate: Candidate) -> str:
    return candidate.source.removesuffix(f" of {PHOTO}")
