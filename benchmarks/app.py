"""The page in a real browser: seconds to the verdict after mouse-up and while drawing, to a usable page; memory."""

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

STARTS, DRAWINGS, MOVES, SESSIONS = 5, 60, 40, 10
PANELS = ("Inside", "Compare", "Stress", "Models", "My handwriting", "Why")
# Strokes of a few digits, in canvas pixels.
STROKES = (
    [(60, 60), (220, 60), (120, 240)],
    [(140, 40), (140, 240)],
    [(70, 90), (110, 45), (190, 50), (205, 110), (70, 235), (215, 235)],
    [(100, 40), (70, 150), (210, 150), (170, 150), (170, 60), (165, 250)],
)
# Notes how much later than the last mouse-up the drawing was answered, and than a move of the pen the bars were others.
WATCH = """() => {
  window.samples = [];
  window.live = [];
  let released = null, moved = null, before = null;
  const shown = () => document.querySelector('.bars')?.innerHTML;
  const isOnCanvas = (event) => event.composedPath()[0].tagName === 'CANVAS';
  window.addEventListener('pointerup', (event) => { if (isOnCanvas(event)) released = performance.now(); }, true);
  window.addEventListener('pointermove', (event) => {
    if (isOnCanvas(event) && event.buttons) [moved, before] = [performance.now(), shown()];
  }, true);
  const look = () => {
    const { asked, answer } = document.querySelector('.answered')?.dataset ?? {};
    if (released !== null && asked && asked === answer) {
      window.samples.push((performance.now() - released) / 1000);
      released = null;
    }
    if (moved !== null && shown() !== before) {
      window.live.push((performance.now() - moved) / 1000);
      moved = null;
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
    # As `make app` starts it.
    command = [sys.executable, str(paths.ROOT / "src" / "app.py"), *options]
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


def to_live_answer(view: Page, moves: int) -> list[float]:
    """Seconds from a move of the pen, while it is down, until the bars are others; some moves change nothing."""
    box = view.locator("canvas").first.bounding_box()
    view.evaluate("() => { window.live = []; }")
    view.mouse.move(box["x"] + 140, box["y"] + 40)
    view.mouse.down()
    for angle in np.linspace(0, 2 * np.pi, moves):
        view.mouse.move(box["x"] + 140 + 70 * np.sin(2.3 * angle), box["y"] + 140 - 95 * np.cos(1.7 * angle))
        view.wait_for_timeout(400)
    view.mouse.up()
    return view.evaluate("() => window.live")


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
            results["seconds_from_move_to_other_bars"] = summary(to_live_answer(view, MOVES))
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
