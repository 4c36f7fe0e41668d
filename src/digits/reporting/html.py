"""Self-contained HTML pages from templates."""

import base64
from pathlib import Path

TEMPLATES = Path(__file__).with_name("templates")


def inline(path: Path) -> str:
    """A PNG file as a `data:` URI, so that the page needs no other file."""
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode("ascii")


def render(template: str, **content) -> str:
    """Render a template in `templates` as an HTML page; an undefined variable raises jinja2's `UndefinedError`."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(**content)
