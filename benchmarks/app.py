"""The page in a real browser: seconds to the verdict after mouse-up, to a usable page, and the server's memory."""

import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import harness
import numpy as np
from playwright.sync_api import Page, sync_playwright

from digits import paths, preprocess
from digits.checkpoints import recognizer
from digits.recognition.verdict import judge
from panels import canvas, page

STARTS, DRAWINGS, SESSIONS = 5, 60, 10
PANELS = ("Inside", "Compare", "Stress", "Models", "My handwriting", "Why")
# Strokes of a few digits, in canvas pixels.
STROKES = (
    [(60, 60), (220, 60), (120, 240)],
    [(140, 40), (140, 240)],
    [(70, 90), (110, 45), (190, 50), (205, 110), (70, 235), (215, 235)],
    [(100, 40), (70, 150), (210, 150), (170, 150), (170, 60), (165, 250)],
)
# Notes the time of the last mouse-up, and how much later the verdict was another one on the page.
WATCH = """() => {
  window.samples = [];
  let released = null, before = null;
  const shown = () => document.querySelector('.verdict')?.parentElement?.innerText;
  window.addEventListener('pointerup', (event) => {
    if (event.composedPath()[0].tagName !== 'CANVAS') return;
    released = performance.now();
    before = shown();
  }, true);
  const look = () => {
    if (released !== null && shown() !== before) {
      window.samples.push((performance.now() - released) / 1000);
      released = null;
    }
    requestAnimationFrame(look);
  };
  look();
}"""


@contextmanager
def server():
    """A server on a free port: its process and its address."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    options = ["--server.headless", "true", "--server.address", "localhost", "--server.port", str(port)]
    command = [sys.executable, "-m", "streamlit", "run", str(paths.ROOT / "src" / "app.py"), *options]
    # As `make app` starts it.
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "500000"}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, cwd=paths.ROOT, env=environment, **quiet)
    try:
        yield process, port
    finally:
        process.terminate()
        process.wait()


def open_page(context, port: int) -> Page:
    """Open the page as soon as the server listens, and wait for its canvas."""
    view = context.new_page()
    while True:
        try:
            with socket.create_connection(("localhost", port), timeout=1):
                break
        except OSError:
            time.sleep(0.02)
    view.goto(f"http://localhost:{port}")
    view.wait_for_selector("canvas")
    view.evaluate(WATCH)
    return view


def draw_stroke(view: Page, stroke: list[tuple[int, int]]) -> None:
    box = view.locator("canvas").first.bounding_box()
    view.mouse.move(box["x"] + stroke[0][0], box["y"] + stroke[0][1])
    view.mouse.down()
    for x, y in stroke[1:]:
        view.mouse.move(box["x"] + x, box["y"] + y, steps=6)
    view.mouse.up()


def resident_megabytes(process: subprocess.Popen) -> int:
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    return round(int(status.split("VmRSS:")[1].split()[0]) / 1000)


def to_verdict(view: Page, drawings: int) -> list[float]:
    """Seconds from mouse-up until the verdict has changed, of single-stroke drawings."""
    view.evaluate("() => { window.samples = []; }")
    for number in range(drawings):
        draw_stroke(view, STROKES[number % len(STROKES)])
        view.wait_for_function(f"() => window.samples.length === {number + 1}", polling=20)
        view.get_by_role("button", name="Clear", exact=True).click()
        view.wait_for_selector(".verdict.nothing")
    return view.evaluate("() => window.samples")


def together(browser, port: int) -> dict:
    """Sessions that draw at the same time: how long each waits for its verdict."""
    views = [open_page(browser.new_context(), port) for _ in range(SESSIONS)]
    for number, view in enumerate(views):
        draw_stroke(view, STROKES[number % len(STROKES)])
    for view in views:
        view.wait_for_function("() => window.samples.length === 1", polling=20)
    return summary([sample for view in views for sample in view.evaluate("() => window.samples")])


def own_code() -> dict:
    """Seconds that the project's own code takes from the strokes to the verdict's HTML, in this process."""
    recogniser = recognizer.load("mnist_advanced")
    samples = []
    for number in range(200):
        points = [each for point in STROKES[number % len(STROKES)] for each in point]
        started = time.perf_counter()
        prepared = preprocess.prepare(canvas.picture([canvas.Stroke(width=18, points=points)]))
        (verdict,) = judge(recogniser, prepared.image[None])
        page.probability_bars(verdict.probabilities)
        samples.append(time.perf_counter() - started)
    return summary(samples)


def summary(samples: list[float]) -> dict:
    return {
        "median": round(float(np.median(samples)), 4),
        "p95": round(float(np.percentile(samples, 95)), 4),
        "largest": round(max(samples), 4),
        "samples": len(samples),
    }


def main() -> None:
    results, usable = {}, []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for _ in range(STARTS):
            started = time.perf_counter()
            with server() as (_, port):
                open_page(browser.new_context(), port)
                usable.append(time.perf_counter() - started)
        results["seconds_from_start_to_canvas"] = summary(usable)
        with server() as (process, port):
            view = open_page(browser.new_context(), port)
            to_verdict(view, 3)
            results["seconds_from_mouse_up_to_verdict"] = summary(to_verdict(view, DRAWINGS))
            memory = {"after_drawing": resident_megabytes(process)}
            draw_stroke(view, STROKES[-1])
            for panel in PANELS:
                view.get_by_role("tab", name=panel).click()
                view.wait_for_selector("[data-testid=stStatusWidget]", state="detached")
                view.wait_for_timeout(3000)
            memory["after_every_panel"] = resident_megabytes(process)
            results["seconds_of_ten_sessions_at_once"] = together(browser, port)
            memory["after_ten_more_sessions"] = resident_megabytes(process)
            results["resident_megabytes"] = memory
        browser.close()
    results["seconds_of_own_code"] = own_code()
    harness.keep("app", results)


if __name__ == "__main__":
    main()
