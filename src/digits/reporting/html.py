"""Self-contained HTML reports from templates, which link to what can be downloaded and to each other."""

import base64
import io
import platform
import re
import shlex
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from html import escape
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from digits import files
from digits.errors import printable
from digits.reporting import thumbnails
from digits.reporting.figures import encode_figure

TEMPLATES = Path(__file__).with_name("templates")
PAGE = "report.html"
# Figures that are larger as SVG, in bytes, are shown as pixels.
LARGEST_SVG = 100_000
LINKS = re.compile('(?<=<nav id="reports">).*?(?=</nav>)', re.DOTALL)


class Picture(NamedTuple):
    """A figure as a report shows it: a `data:` URI, and the address of its PDF, seen from the report."""

    source: str
    pdf: str


def write_figures(figures: Mapping[str, Figure], folder: Path, inside: str = "") -> dict[str, Picture]:
    """Write each figure as `NAME.png` and `NAME.pdf`, with a `safe_name`, and return it by name for a report.

    Args:
        folder: of the report.
        inside: the folder in it for the figures.
    """
    own, written = files.output_folder(folder / inside), {}
    for name, figure in figures.items():
        # Several digits or maps are pixels in any format.
        as_svg = sum(len(axis.images) for axis in figure.axes) < 2
        png, pdf, *svg = encode_figure(figure, "png", "pdf", *(["svg"] if as_svg else []))
        base = files.safe_name(name)
        for suffix, content in (("png", png), ("pdf", pdf)):
            with files.replacing(own / f"{base}.{suffix}") as temporary:
                temporary.write_bytes(content)
        is_small = svg and len(svg[0]) < LARGEST_SVG
        source = data_uri(svg[0], "image/svg+xml") if is_small else data_uri(_webp(png), "image/webp")
        written[name] = Picture(source, quote(f"{inside}/{base}.pdf".lstrip("/")))
    return written


def _webp(png: bytes) -> bytes:
    """The same picture, without loss, in half of the bytes."""
    written = io.BytesIO()
    with Image.open(io.BytesIO(png)) as picture:
        picture.convert("RGB").save(written, "webp", lossless=True)
    return written.getvalue()


def data_uri(content: str | bytes, kind: str) -> str:
    """A `data:` URI with content of a MIME type."""
    encoded = base64.b64encode(content.encode() if isinstance(content, str) else content)
    return f"data:{kind};base64,{encoded.decode('ascii')}"


def write_page(folder: Path, template: str, **content) -> Path:
    """Write `report.html`, as `render` makes it, and let it and the reports in folders beside it link to each other."""
    page = folder / PAGE
    files.write_text(page, render(template, **content))
    _link_reports(folder.resolve().parent)
    return page


def render(template: str, seeds: str, hashes: Mapping[str, str], **content) -> str:
    """Render a template in `templates` as an HTML page; an undefined variable raises jinja2's `UndefinedError`.

    Args:
        seeds: what was random and with which seed, in words.
        hashes: SHA-256 of the checkpoints and digits, by their names.
    """
    provenance = _provenance() | {"seeds": seeds, "hashes": hashes}
    return environment().get_template(template).render(**content, provenance=provenance)


def slider(label: str, images: Iterable[np.ndarray], captions: Iterable[str]) -> str:
    """HTML of a slider that shows one of the images, uint8 (28, 28) each, at a time, for a notebook."""
    frames = [
        (thumbnails.data_uri(thumbnails.on_paper(image)), text) for image, text in zip(images, captions, strict=True)
    ]
    source = '{% from "parts.html.j2" import slider %}{{ slider(label, frames) }}'
    return environment().from_string(source).render(label=label, frames=frames)


def environment():
    """The jinja2 environment of the templates."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    found = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        finalize=_printable,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["data_uri"] = data_uri
    return found


def _link_reports(reports: Path) -> None:
    """Let each report in a subfolder link to those in the others."""
    texts = {}
    for page in sorted(reports.glob(f"*/{PAGE}")):
        with suppress(OSError, ValueError):
            if LINKS.search(text := page.read_text(encoding="utf-8")):
                texts[page] = text
    for page, text in texts.items():
        others = [
            f'<a href="../{quote(name)}/{PAGE}">{escape(printable(name))}</a>'
            for other in texts
            if (name := other.parent.name) != page.parent.name
        ]
        links = f"Other reports: {' · '.join(others)}" if others else ""
        if LINKS.findall(text)[0] == links:
            continue
        # A folder that can't be written to keeps its page, and whoever is just writing one will find this report.
        with suppress(OSError, ValueError), files.locked(page.parent, "--output-dir"):
            latest = page.read_text(encoding="utf-8")
            files.write_text(page, LINKS.sub(lambda _, links=links: links, latest, count=1))


def _provenance() -> dict[str, str]:
    """When, by which command and with which versions a page was written."""
    packages = ("digit-workbench", "numpy", "onnxruntime", "keras", "scikit-learn")
    script, *arguments = sys.argv
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "command": shlex.join([Path(script).name, *arguments]),
        "versions": ", ".join(
            [f"Python {platform.python_version()}", *(f"{each} {version(each)}" for each in packages)]
        ),
    }


def _printable(value: object) -> object:
    """What a template shows, with text in a form that can't change the text around it."""
    return printable(value) if type(value) is str else value
