"""Self-contained HTML pages and the pictures in them; tables in Markdown."""

import base64
from pathlib import Path

TEMPLATES = Path(__file__).with_name("templates")


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
