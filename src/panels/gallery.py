"""Gallery: small pictures to click on."""

from collections.abc import Callable, Sequence
from pathlib import Path

import streamlit as st
from streamlit.components import v2

buttons = v2.component(
    "digits.gallery",
    html='<div class="gallery"></div>',
    js=Path(__file__).with_name("gallery.js").read_text(encoding="utf-8"),
    isolate_styles=False,
)


def show(entries: Sequence[dict[str, str]], key: str, choose: Callable[[str], None]) -> None:
    """Show pictures as buttons, and call `choose` with the key of the one that is clicked.

    Args:
        entries: of each: its `key`, its `uri`, a `caption` for who can't see it, and a `reading` below it.
        key: of the gallery on the page.
    """
    buttons(data=list(entries), key=key, on_chosen_change=lambda: choose(st.session_state[key].chosen))
