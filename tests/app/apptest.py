"""The app without a browser: a canvas that strokes are put on, the page it makes, and how to read that page."""

import base64
import gc
import json
import os
import re
import shutil
import sys
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from xml.etree.ElementTree import Element, TreeBuilder

import cv2
import numpy as np
import pyarrow
import pytest
from PIL import Image
from scipy.special import softmax
from streamlit.components.v2.component_manager import BidiComponentManager
from streamlit.testing.v1 import AppTest

from digits import paths, preprocess
from digits.checkpoints import cards, recognizer, strangers
from digits.recognition.verdict import judge
from panels import canvas, draw, fool, gallery

PANELS = ("Why", "Inside", "Compare", "Stress", "Models", "My handwriting")
RECORDS = [cards.read(path) for path in paths.MODELS.glob("*.json")]
SHIPPED = sorted(card["name"] for card in RECORDS if "base" not in card)
WITHOUT_ENDING = {"img", "br"}
# After others a reader sees a gap.
INLINE = {"b", "strong", "small", "code"}


def enlarged(digit: np.ndarray) -> np.ndarray:
    """A digit as ink on a canvas, uint8 (280, 280), ink 255."""
    return cv2.resize(digit, (canvas.SIDE, canvas.SIDE), interpolation=cv2.INTER_CUBIC)


def png(picture: np.ndarray, kind: str = "PNG") -> bytes:
    file = BytesIO()
    Image.fromarray(picture).save(file, kind)
    return file.getvalue()


class FakeQueue:
    """Takes jobs, and runs none."""

    def __init__(self):
        self.jobs = []

    def submit(self, title, arguments, progress=None):
        self.jobs.append(
            SimpleNamespace(
                title=title, arguments=list(map(str, arguments)), ask=progress, state="waiting", error="", position=2,
                progress=0.0, cancel=lambda: None,
            )
        )  # fmt: skip
        return self.jobs[-1]


class Canvas:
    """Stands in for the canvas in the browser: strokes are whole pictures of ink, known by the width of the pen."""

    def __init__(self):
        self.inks: list[np.ndarray] = []
        self.undone: list[np.ndarray] = []
        self.number = 0
        self.pen: canvas.Pen | None = None

    def show(self, pen: canvas.Pen) -> canvas.Sketch | None:
        self.pen = pen
        strokes = [canvas.Stroke(width=number, points=[0, 0]) for number, _ in enumerate(self.inks, 1)]
        return canvas.Sketch(number=self.number, strokes=strokes) if strokes else None

    def picture(self, strokes: list[canvas.Stroke]) -> np.ndarray:
        blank = np.zeros((canvas.SIDE, canvas.SIDE), np.uint8)
        return 255 - np.max([blank, *(self.inks[round(each.width) - 1] for each in strokes)], axis=0)

    def load(self, sketch: canvas.Sketch) -> None:
        self.number, self.inks = sketch.number, self.inks[: len(sketch.strokes)]


class Page:
    """The app with a canvas of ours; nothing that it shows is ever a traceback."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        self.canvas = Canvas()
        for name in ("show", "picture", "load"):
            monkeypatch.setattr(canvas, name, getattr(self.canvas, name))
        # What is told of a stroke while it is drawn: a browser's part.
        monkeypatch.setattr(canvas, "follow", lambda: None)
        self.galleries: dict[str, list[dict]] = {}
        monkeypatch.setattr(gallery, "buttons", lambda data, key, **_: self.galleries.update({key: data}))
        monkeypatch.setattr(fool, "pixels", lambda **_: None)
        # The app becomes the main module, and processes that Python spawns later would begin by importing it.
        monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
        # Nothing is read from the collection of whoever runs the tests, and nothing saved there.
        if paths.MY_DIGITS.is_relative_to(paths.ROOT):
            monkeypatch.setattr(paths, "MY_DIGITS", Path(os.devnull))
        # The search through all installed packages takes longer than a test, and this page needs none of what it finds.
        monkeypatch.setattr(BidiComponentManager, "discover_and_register_components", lambda self, **_options: None)
        # Streamlit looks for garbage after every run, also among all that other tests have imported.
        gc.freeze()
        self.app = AppTest.from_file(str(Path(draw.__file__).parents[1] / "app.py"), default_timeout=60)

    def run(self) -> "Page":
        self.app.run()
        assert not self.app.exception
        return self

    def draw(self, digit: np.ndarray) -> "Page":
        """Draw a whole digit, uint8 (28, 28), in one stroke."""
        return self.stroke(enlarged(digit))

    def stroke(self, ink: np.ndarray) -> "Page":
        """Draw a stroke, given as all the ink that it leaves, uint8 (280, 280)."""
        self.canvas.inks, self.canvas.undone = [*self.canvas.inks, ink], []
        return self.run()

    def undo(self) -> "Page":
        self.canvas.undone.append(self.canvas.inks.pop())
        return self.run()

    def redo(self) -> "Page":
        self.canvas.inks.append(self.canvas.undone.pop())
        return self.run()

    def clear(self) -> "Page":
        self.canvas.inks, self.canvas.undone = [], []
        self.canvas.number += 1
        return self.run()

    def sample(self, place: int) -> "Page":
        """Choose one of MNIST's test digits."""
        return self.set(source="Samples", sample=place)

    def set(self, **state) -> "Page":
        """Choose values of widgets by their keys."""
        for key, value in state.items():
            self.app.session_state[key] = value
        return self.run()

    def choose(self, key: str, value: object) -> "Page":
        """Click on one of several buttons in a row."""
        self.app.button_group(key=key).set_value(value)
        return self.run()

    def show(self, panel: str) -> "Page":
        return self.set(panel=panel)

    def click(self, label: str) -> "Page":
        (button,) = [each for each in self.app.button if each.label == label]
        assert not button.disabled
        button.click()
        return self.run()

    def upload(self, content: bytes | None, name: str = "digit.png", key: str = "upload") -> "Page":
        file = (name, content, "application/octet-stream") if content is not None else None
        self.app.file_uploader(key=key).set_value(file)
        return self.run()

    @property
    def html(self) -> Element:
        """All HTML of the page, as one tree."""
        return parse("".join(each.value for each in self.app.html))

    @property
    def errors(self) -> list[str]:
        return [shown(each.value) for each in self.app.error]

    @property
    def warnings(self) -> list[str]:
        return [shown(each.value) for each in self.app.warning]

    @property
    def captions(self) -> list[str]:
        return [shown(each.value) for each in self.app.caption]

    @property
    def verdict(self) -> str:
        """What it says of the drawing, in words."""
        return words(self.find("div", "verdict"))

    @property
    def drawing(self) -> bytes:
        """What the canvas shows, as PNG."""
        return png(255 - np.max(self.canvas.inks, axis=0))

    def find(self, tag: str, kind: str) -> Element:
        """The one element with this class."""
        (found,) = self.find_all(tag, kind)
        return found

    def find_all(self, tag: str, kind: str) -> list[Element]:
        return [each for each in self.html.iter(tag) if kind in each.get("class", "").split()]

    def picture(self, words: str) -> np.ndarray:
        """The pixels of the one picture whose description has these words in it."""
        (found,) = [each for each in self.html.iter("img") if words in each.get("alt")]
        return pixels(found)

    def everything(self) -> str:
        """All that a person could read, and what stands behind it."""
        texts = [self.app.caption, self.app.markdown, self.app.info, self.app.success, self.app.toast]
        values = [re.sub('src="[^"]*"', "", each.value) for each in self.app.html]
        values += [shown(each.value) for elements in texts for each in elements]
        labels = [each.label for each in (*self.app.button, *self.app.toggle, *self.app.expander)]
        return "\n".join([*values, *labels, *self.errors, *self.warnings])


def shown(markdown: str) -> str:
    """Markdown as it is shown where it is text with escapes."""
    return re.sub(r"\\([!-/:-@[-`{-~])", r"\1", markdown).replace("\u2060", "")


def parse(html: str) -> Element:
    """HTML as a tree; it must close what it opens."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    assert not reader.open
    reader.tree.end("page")
    return reader.tree.close()


class _Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tree = TreeBuilder()
        self.tree.start("page", {})
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tree.start(tag, {name: value or "" for name, value in attrs})
        if tag in WITHOUT_ENDING:
            self.tree.end(tag)
            self.tree.data(" ")
        else:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        self.tree.end(tag)
        if tag not in INLINE:
            self.tree.data(" ")

    def handle_data(self, data: str) -> None:
        self.tree.data(data)


def words(element: Element) -> str:
    """The text of an element, with single spaces."""
    return " ".join("".join(element.itertext()).split())


def rows(table: Element) -> list[Element]:
    """The rows of a table's body."""
    return table.findall("tbody/tr")


def cells(row: Element) -> list[str]:
    """The words in a row's cells."""
    return [words(cell) for cell in row]


def pixels(picture: Element) -> np.ndarray:
    """The pixels of an `img`, uint8, grey or RGB."""
    content = picture.get("src").removeprefix("data:image/png;base64,")
    return np.asarray(Image.open(BytesIO(base64.b64decode(content))))


def chart(at: Page, title: str) -> list[dict]:
    """The data behind a chart, found by the words that describe it."""
    (found,) = [each.proto for each in at.app.get("vega_lite_chart") if each.proto.alt.startswith(title)]
    layers = json.loads(found.spec).get("layer", [])
    written = [row for layer in layers for row in layer.get("data", {}).get("values", [])]
    # Streamlit sends data that layers share beside the chart.
    return written or pyarrow.ipc.open_stream(found.data.data).read_all().to_pylist()


def prepared(content: bytes) -> preprocess.Prepared:
    return preprocess.prepare(preprocess.read_grey(content))


def bars(page: Page) -> dict[int, str]:
    """The percentages beside the ten bars."""
    found = [words(bar).split(" ", 1) for bar in page.find_all("div", "bar")]
    return {int(digit): percentage for digit, percentage in found}


def calibrated(recogniser: recognizer.Recognizer, image: np.ndarray) -> np.ndarray:
    """What the page should say of an image, uint8 (28, 28), (10,): the logits over the temperature on the card."""
    (probabilities,) = recogniser.predict_proba(image[None])
    logits = np.log(np.maximum(probabilities.astype(np.float64), 1e-12))
    return softmax(logits / recogniser.card.get("temperature", 1))


def certainty(recogniser: recognizer.Recognizer, image: np.ndarray) -> str:
    """What the page should say of the confidence in an answer to an image, uint8 (28, 28)."""
    confidence = calibrated(recogniser, image).max()
    if not judge(recogniser, image[None])[0].is_familiar:
        return f"{in_percent(confidence)}, looks like no digit"
    return in_percent(confidence) + ("" if confidence >= recogniser.card["sure"]["threshold"] else ", not sure")


def in_percent(probability: float) -> str:
    """How a probability is written, worked out in another way than the library does."""
    if not 0.001 <= probability <= 0.999:
        return "< 0.1 %" if probability < 0.5 else "> 99.9 %"
    tenths = round(float(probability) * 1000)
    return f"{tenths // 10}.{tenths % 10} %"


def borrow_models(monkeypatch: pytest.MonkeyPatch, root: Path, *names: str) -> Path:
    """Let the app find only copies of these checkpoints, in a folder `models` below a project folder of its own."""
    folder = root / "models"
    folder.mkdir()
    for name in names:
        for file in paths.MODELS.glob(f"{name}.*"):
            shutil.copyfile(file, folder / file.name)
    monkeypatch.setattr(paths, "ROOT", root)
    monkeypatch.setattr(paths, "MODELS", folder)
    return folder


def open_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let models without a card be opened by the exports beside them: converting one takes seconds."""

    def open_file(path: Path, _cache: Path) -> strangers.Opened:
        return strangers.Opened("", path.with_suffix(".onnx").read_bytes(), None, (), None, "")

    monkeypatch.setattr(strangers, "open_file", open_file)


def paths_in(text: str) -> list[str]:
    """Absolute paths that a text gives away."""
    return re.findall(r"(?<![\w.:/<])/(?:[\w.-]+/)+[\w.-]*", text)
