"""Names, descriptions and errors are shown as text wherever they are on the page, whatever they contain."""

import html
import re
from dataclasses import replace

import pytest
from markdown_it import MarkdownIt

from digits import paths
from digits.checkpoints import recognizer
from digits.errors import printable
from panels import cache, page
from panels.cache import Model
from tests.app.apptest import PANELS, Page, borrow_models, shown

NAME = "quokka *a* $b$ [c](http://d) <i>e</i> :red[f] `g` -> \u202eh\n_i_"
TEXTS = [
    NAME,
    *("<script>alert(1)</script>", "<img src=x onerror=alert(1)>", '"x\' onmouseover="y', "<!-- c -->", "<http://a.b>"),
    *("*a* _b_ **c** __d__ ~~e~~", "[c](http://d) ![i](x) [ ] [^1]", "$e^2$ and $$x$$", "`f` ``g``", "a_b_c _x_ x_ _y"),
    *("# heading", "- item", "+ item", "1. item", "12) item", "> quote", "= x", "| a | b |", "---", "***", "    code"),
    *(":red[colour] :smile: :material/home: :+1:", "http://a.com www.a.com a@b.com mailto:x@y.z", "@me #5 !x ?y"),
    *("&amp; &lt;b&gt; &#65;", "back\\slash \\* \\", "-> <- <= >= -- →", "one\nline\tand \x1b[31m", "\u202etxt.exe"),
]
MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
# What Streamlit and GitHub add to that: formulas, colours, icons, links without brackets, arrows.
ADDITIONS = re.compile(r"(?<!\\)\$|:\w+\[|:[\w/+-]+:|https?://|www\.|\w@\w|->|<-|<=|--")


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("around", ["{}", "A model {} is gone."])
def test_markdown_shows_literal_text_as_it_is(text, around):
    markdown = around.format(page.literal(text))
    tokens = MARKDOWN.parseInline(markdown)[0].children
    assert {token.type for token in tokens} <= {"text", "text_special"}
    assert "".join(token.content for token in tokens).replace("\u2060", "") == around.format(printable(text))
    assert MARKDOWN.parse(markdown)[0].type == "paragraph_open"
    assert not ADDITIONS.search(markdown)
    assert shown(markdown) == around.format(printable(text))


@pytest.mark.parametrize("text", TEXTS)
def test_html_shows_escaped_text_as_it_is(text):
    escaped = page.escape(text)
    assert not set("<>\"'") & set(escaped)
    assert html.unescape(escaped) == printable(text)


def test_a_model_of_any_name_is_text_on_every_panel(monkeypatch, tmp_path, some_digits):
    borrow_models(monkeypatch, tmp_path, "mnist_logistic", "mnist_mlp")
    mine = tmp_path / "my_digits"
    (mine / "3").mkdir(parents=True)
    (mine / "3" / "quokka *a* [c](d) $b$.png").write_text("no picture")
    monkeypatch.setattr(paths, "MY_DIGITS", mine)
    opened = recognizer.load("mnist_logistic")
    strange = replace(opened, name=NAME, card=opened.card | {"description": NAME})

    def open_model(name: str) -> Model:
        if name == "mnist_mlp":
            raise ValueError(f"{NAME} is damaged")
        return Model(name, strange)

    monkeypatch.setattr(cache, "open_model", open_model)
    # The calibration and the errors would need all test digits, and have no names in them.
    monkeypatch.setattr(cache, "test_digits", lambda: some_digits.first(50))
    places = 0
    at = Page(monkeypatch)
    at.set(model="mnist_logistic").draw(some_digits.images[0])
    for panel in PANELS:
        at.show(panel)
        if panel == "Models":
            at.set(compared_models=["mnist_logistic", "mnist_mlp"])
        app = at.app
        for each in (*app.caption, *app.markdown, *app.info, *app.success, *app.warning, *app.error, *app.button):
            text = each.label if each.type == "button" else each.value
            if "quokka" in text:
                places += 1
                assert page.literal(NAME) in text or page.literal("quokka *a* [c](d) $b$.png") in text
        for each in app.html:
            places += "quokka" in each.value
            assert each.value.count("quokka") == each.value.count(page.escape(NAME))
    assert places >= 12
