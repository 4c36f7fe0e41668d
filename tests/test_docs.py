"""README and docs: generated tables are up to date, links lead somewhere, and the scripts accept the commands."""

import re
import runpy
import shlex
import sys

import pytest

from digits import cli, paths
from tools import readme, robustness_tables

PAGES = [
    *(paths.ROOT / name for name in ("README.md", "CONTRIBUTING.md", "data/README.md", "my_digits/README.md")),
    *sorted((paths.ROOT / "docs").glob("*.md")),
]
COMMANDS = sorted(
    {
        command.strip()
        for page in PAGES
        for command in re.findall(r"\bsrc/\w+\.py[^`\n]*", page.read_text(encoding="utf-8"))
        # Streamlit parses the options of the app.
        if not command.startswith("src/app.py")
    }
)


def test_generated_tables_are_up_to_date():
    for page, blocks in readme.generated_blocks().items():
        text = (paths.ROOT / page).read_text(encoding="utf-8")
        for name, content in blocks.items():
            assert re.search(rf"<!-- {name}:.*-->\n{re.escape(content)}\n<!-- {name} end -->", text), f"{page}: {name}"


def test_the_page_of_results_is_up_to_date():
    summary = readme.read_json(paths.ROOT / "docs" / "robustness" / "summary.json")
    people = readme.read_json(paths.ROOT / "benchmarks" / "results" / "people.json")
    page = (paths.ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    assert page == robustness_tables.results_text(summary, people)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(paths.ROOT).as_posix())
def test_links_lead_to_files_and_headings(page):
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)#?([^)\s]*)\)", page.read_text(encoding="utf-8")):
        linked = page.parent / target if target else page
        assert linked.exists(), target
        if anchor:
            assert anchor in headings(linked), f"{target}#{anchor}"


def test_the_index_names_every_page():
    index = (paths.ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    assert [page.name for page in (paths.ROOT / "docs").glob("*.md") if f"]({page.name})" not in index] == ["README.md"]


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_are_accepted(command, monkeypatch):
    script, *arguments = shlex.split(command, comments=True)

    run = cli.run
    monkeypatch.setattr(cli, "run", lambda _main, *given, **more: run(lambda _options: None, *given, **more))
    monkeypatch.setattr(sys, "argv", [script, *arguments])
    runpy.run_path(str(paths.ROOT / script), run_name="__main__")


def headings(page):
    """The anchors that GitHub gives to a page's headings."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
