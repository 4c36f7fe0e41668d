"""A real browser, and a server of the app on a copy of the checkout, so that tests may break what is in `models/`."""

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright

from digits import paths
from digits.checkpoints import recognizer
from digits.recognition import familiarity
from tests.app.apptest import SHIPPED
from tests.support import NO_BROWSER

from . import visitor

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# A machine that others use too may be slow; nothing is waited for longer than it takes.
PATIENCE_MS = 40_000
FAKE_CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")


@dataclass
class Server:
    """The app as it runs: the checkout that it was started from, its address, and what it has printed so far."""

    root: Path
    url: str
    log: list[str]
    environment: dict[str, str]
    process: subprocess.Popen | None = None
    reader: Thread | None = None

    @property
    def models(self) -> Path:
        return self.root / "models"

    def start(self) -> None:
        options = [
            "--server.headless",
            "true",
            "--server.address",
            "localhost",
            "--server.port",
            self.url.split(":")[-1],
        ]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "src/app.py", *options],
            cwd=self.root,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        is_ready = Event()
        self.reader = Thread(target=_read_log, args=(self.process, self.log, is_ready))
        self.reader.start()
        assert is_ready.wait(PATIENCE_MS / 1000), "".join(self.log)

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait()
            self.reader.join()
            self.process.stdout.close()
            self.process = None


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="package")
def browser(request: pytest.FixtureRequest) -> Iterator[Browser]:
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None and os.environ.get("REQUIRE_BROWSER") == "1":
        pytest.fail(f"{NO_BROWSER}, and REQUIRE_BROWSER=1: apt-get install chromium")
    if path is None:
        pytest.skip(NO_BROWSER)
    chromium = request.getfixturevalue("playwright").chromium
    browser = chromium.launch(executable_path=path, args=["--no-sandbox", *FAKE_CAMERA])
    yield browser
    browser.close()


@pytest.fixture(scope="package")
def profile(browser: Browser) -> Iterator[BrowserContext]:
    """What a browser keeps; the tabs of one open the app faster than those of new ones, and must be as much apart."""
    context = browser.new_context()
    yield context
    context.close()


@pytest.fixture(scope="package")
def server(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from _serve(tmp_path_factory.mktemp("workbench"), {})


@pytest.fixture
def public_server(browser: Browser, tmp_path: Path) -> Iterator[Server]:
    yield from _serve(tmp_path, {"DIGITS_PUBLIC": "1"})


@pytest.fixture
def restartable(browser: Browser, tmp_path: Path) -> Iterator[Server]:
    yield from _serve(tmp_path, {})


@pytest.fixture
def open_page(browser: Browser, profile: BrowserContext, server: Server):
    """Open the app for one more visitor, in a browser of their own if there are options; check all in the end."""
    pages: list[Page] = []
    problems: list[str] = []
    printed = len(server.log)

    def open_page(url: str = server.url, wait: bool = True, **options: object) -> Page:
        page = (browser.new_context(**options) if options else profile).new_page()
        page.set_default_timeout(PATIENCE_MS)
        _watch(page, problems)
        page.goto(url, wait_until="commit")
        if wait:
            visitor.wait_for_canvas(page)
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        assert not re.search("Traceback|The rest of the page works", page.inner_text("body"))
        page.close() if page.context == profile else page.context.close()
    assert not problems
    assert "Traceback" not in "".join(server.log[printed:])


@pytest.fixture
def page(open_page) -> Page:
    return open_page()


def _watch(page: Page, problems: list[str]) -> None:
    def check_host(kind: str, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("data", "blob") and parts.hostname != "localhost":
            problems.append(f"{kind} to {url}")

    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: check_host("request", request.url))
    page.on("websocket", lambda socket: check_host("web socket", socket.url))


def _serve(root: Path, environment: dict[str, str]) -> Iterator[Server]:
    for name in ("src", "models", ".streamlit"):
        shutil.copytree(paths.ROOT / name, root / name)
    for name in ("data", "docs"):
        (root / name).symlink_to(paths.ROOT / name, target_is_directory=True)
    with socket.create_server(("localhost", 0)) as probe:
        port = probe.getsockname()[1]
    _fill_cache(root / "cache" / "digit-workbench")
    home = {"HOME": str(root), "XDG_CACHE_HOME": str(root / "cache")}
    server = Server(root, f"http://localhost:{port}", [], os.environ | home | environment)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def _fill_cache(cache: Path) -> None:
    """Put there what the shipped models' first verdicts need, so that no visitor waits for it to be computed."""
    cache.mkdir(parents=True)
    for name in SHIPPED:
        recogniser = recognizer.load(name)
        if familiarity.can_judge(recogniser):
            familiarity.reference(recogniser)
    for file in paths.cache_folder().glob("*.familiarity.npz"):
        (cache / file.name).symlink_to(file)


def _read_log(process: subprocess.Popen, log: list[str], is_ready: Event) -> None:
    for line in process.stdout:
        log.append(line)
        if "URL:" in line:
            is_ready.set()
