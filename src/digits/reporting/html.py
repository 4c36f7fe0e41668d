"""Self-contained HTML pages from templates."""

import base64
import platform
import shlex
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from matplotlib.figure import Figure

from digits import files
from digits.errors import printable
from digits.reporting.figures import save_figure

TEMPLATES = Path(__file__).with_name("templates")


def write_figures(figures: Mapping[str, Figure], folder: Path) -> dict[str, str]:
    """Write each figure as `NAME.png`, with a `safe_name`; return them by name as `data:` URIs for a page."""
    written = {}
    for name, figure in figures.items():
        path = save_figure(figure, folder / f"{files.safe_name(name)}.png")
        written[name] = "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode("ascii")
    return written


def write_page(folder: Path, template: str, **content) -> Path:
    """Write `report.html`, rendered from a template in `templates`."""
    page = folder / "report.html"
    files.write_text(page, render(template, **content))
    return page


def render(template: str, **content) -> str:
    """Render a template in `templates` as an HTML page; an undefined variable raises jinja2's `UndefinedError`."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        finalize=_printable,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(**content, provenance=_provenance())


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
