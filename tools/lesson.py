"""Run the classroom notebook from top to bottom and keep its pictures in it: `make lesson`."""

import base64
import hashlib
import io

import nbformat
from nbclient import NotebookClient
from PIL import Image

from digits import files, paths

NOTEBOOK = paths.ROOT / "notebooks" / "classroom.ipynb"


def read() -> nbformat.NotebookNode:
    """The notebook as it is kept."""
    return nbformat.read(NOTEBOOK, as_version=nbformat.NO_CONVERT)


def run(notebook: nbformat.NotebookNode) -> None:
    """Run all cells in the notebook's own folder, as a class does."""
    options = {"resources": {"metadata": {"path": str(NOTEBOOK.parent)}}, "record_timing": False}
    # Of a progress bar, its last state is kept.
    NotebookClient(notebook, timeout=500, kernel_name="python3", coalesce_streams=True, **options).execute()


def source_sha256(notebook: nbformat.NotebookNode) -> str:
    """SHA-256 of all code, by which a run is known to be of this code."""
    code = "\0".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    return hashlib.sha256(code.encode()).hexdigest()


def main() -> None:
    """Run the notebook and write it with what it shows."""
    notebook = read()
    run(notebook)
    for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
        if png := output.get("data", {}).get("image/png"):
            output.data["image/png"] = _small(png)
    notebook.metadata["run"] = {"source_sha256": source_sha256(notebook)}
    notebook.metadata["language_info"] = {"name": "python"}
    files.write_text(NOTEBOOK, nbformat.writes(notebook) + "\n")


def _small(png: str) -> str:
    """A picture, in base64, with at most 256 colours."""
    written = io.BytesIO()
    with Image.open(io.BytesIO(base64.b64decode(png))) as picture:
        picture.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(written, "png", optimize=True)
    return base64.b64encode(written.getvalue()).decode()


if __name__ == "__main__":
    main()
