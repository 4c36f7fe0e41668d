"""What is asked about four models, and a report's page, read back."""

import re
from html.parser import HTMLParser
from pathlib import Path

# Methods asked for, and those that then are there.
ASKED = {
    "mnist_cnn": (("grad_cam", "saliency", "occlusion"), ["grad_cam", "saliency", "occlusion"]),
    "mnist_mlp": (
        (),
        ["saliency", "input_x_gradient", "integrated_gradients", "smooth_grad", "occlusion", "rise"],
    ),
    "digits_8x8_logistic": (("grad_cam", "occlusion"), ["occlusion"]),
    "mnist_random_forest": ((), ["occlusion", "rise"]),
}


class Page(HTMLParser):
    """What a page holds: pictures, links, headings by their ids, the cells of its tables, and all its words."""

    def __init__(self, path: Path):
        super().__init__()
        self.sources, self.alts, self.links, self.headings, self.rows, self.words = [], [], [], {}, [], ""
        self._heading = self._cell = None
        self.html = path.read_text(encoding="utf-8")
        self.feed(self.html)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self._heading = attributes.get("id") if tag == "h2" else None
        if tag == "img":
            self.sources.append(attributes["src"])
            self.alts.append(attributes["alt"])
        if tag == "a":
            self.links.append(attributes["href"])
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")
            self._cell = True
        assert "href" not in attributes or re.match(
            r"#|data:(text/csv|application/x-tex);|[\w/%.-]+\.pdf$", attributes["href"]
        )
        assert "src" not in attributes or tag == "img"

    def handle_endtag(self, tag):
        if tag in {"td", "th"}:
            self._cell = False

    def handle_data(self, data):
        self.words += data
        if self._heading:
            self.headings[self._heading] = data
            self._heading = None
        if self._cell:
            self.rows[-1][-1] += data
