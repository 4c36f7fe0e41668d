"""Self-contained HTML pages and the pictures in them; tables in Markdown."""

import base64
from collections.abc import Iterable, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from digits import paths

TEMPLATES = Path(__file__).with_name("templates")


def save_figure(figure: Figure, path: Path) -> Path:
    """Write a figure as PNG, all of it or nothing."""
    with paths.replacing(path) as temporary:
        figure.savefig(temporary, dpi=130)
    return path


def inline(path: Path) -> str:
    """A picture as a `data:` address, so that the page needs no other file."""
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode("ascii")


def render(template: str, **content) -> str:
    """An HTML page from a template in `templates`; a name that the template asks for and isn't given is an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(**content)


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table, its first column to the left and all others to the right."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
