"""What all panels share on the page: its style, small pieces of HTML, and errors as sentences where they occur."""

import html
import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import streamlit as st

from digits import paths
from digits.errors import in_one_line, printable
from digits.reporting import thumbnails
from digits.reporting.words import percent

ICON = Path(__file__).with_name("icon.png")
STYLE = Path(__file__).with_name("style.css")
HEIC_ADVICE = (
    "HEIC photos aren't read. Save them as JPEG first; on an iPhone: Settings, Camera, Formats, Most Compatible."
)
LOG = logging.getLogger("digits.app")


def apply_style() -> None:
    """Apply the app's style sheet to the page."""
    st.html(f"<style>{STYLE.read_text(encoding='utf-8')}</style>")


@contextmanager
def guarded(panel: str) -> Iterator[None]:
    """Show an error raised inside as a sentence where it occurs; the rest of the page continues."""
    try:
        yield
    except (ValueError, OSError) as error:
        st.error(sentence(error))
    # Anything else is a bug of ours: its traceback belongs in the log.
    except Exception:
        LOG.exception("%s failed", panel)
        st.error(f"{panel} failed. The rest of the page works; the server's log says what happened.")


def sentence(error: Exception | str) -> str:
    """An error's message without the server's folders, for Markdown."""
    return literal(without_folders(error))


def without_folders(error: Exception | str) -> str:
    """An error's message in a line, without the server's folders."""
    text = in_one_line(error).replace(f"{paths.ROOT}/", "")
    return re.sub(r"(?<![\w<])/(?:[^\s/'\"]+/)+", "", text)


def literal(text: str) -> str:
    """Text in a form that Markdown shows as it is; a name, a description or an error may contain anything."""
    escaped = re.sub(r"[\\`*\[\]$<>~|#&!]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\\g<0>", printable(text))
    # At the beginning, what would make it an item of a list.
    escaped = re.sub(r"^(\d*)([-+.)])", r"\1\\\2", escaped)
    # A word joiner, which isn't seen, within what would become a link, an icon, a colour, an arrow or a dash.
    signs = r":(?=[\w/+-])|(?i:www)(?=\.)|@(?=\w)|-(?=-|\\>)|<(?=[-=])|>(?==)"
    return re.sub(signs, "\\g<0>\u2060", escaped)


def escape(text: str) -> str:
    """Text in a form that HTML shows as it is."""
    return html.escape(printable(text))


def picture(image: np.ndarray, alternative: str, side: int) -> str:
    """A picture, `side` CSS pixels wide and high, with a text alternative."""
    return f'<img class="pixels" src="{thumbnails.data_uri(image)}" alt="{escape(alternative)}" style="width:{side}px">'


def probability_bars(probabilities: np.ndarray) -> str:
    """All ten probabilities as bars, the highest one marked."""
    best = int(np.argmax(probabilities))
    rows = [
        f'<div class="bar{" best" if digit == best else ""}"><span>{digit}</span>'
        f'<span class="track"><span class="fill" style="width:{100 * value:.1f}%"></span></span>'
        f"<span>{escape(percent(value))}</span></div>"
        for digit, value in enumerate(probabilities)
    ]
    return f'<div class="bars">{"".join(rows)}</div>'


def table(header: Sequence[str], rows: Sequence[str], kind: str) -> str:
    """An HTML table of a `kind` that the style sheet knows; the rows come as HTML, the header as text."""
    cells = "".join(f"<th scope='col'>{escape(name)}</th>" for name in header)
    return (
        f'<div class="scroll"><table class="{kind}"><thead><tr>{cells}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )
