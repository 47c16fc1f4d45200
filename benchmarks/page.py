"""How long a person waits: the first picture after opening the page, and a second question answered and redrawn.

Starts the app as `make app` does and drives it with Chromium (CHROMIUM=path, else /usr/bin/chromium). The rival for a
redraw is Streamlit's own round trip: the same page, a widget that changes nothing on it.
"""

import os
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from vlmlens.lab.sample import crossed

ROOT = Path(__file__).resolve().parents[1]
READY = '.st-key-picture .lens[data-ready="1"]'
IDLE = '[data-testid="stApp"][data-test-script-state="notRunning"]'
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
]
WINDOW: ViewportSize = {"width": 1440, "height": 900}
QUESTIONS = 24
SERVERS = 5
SETTLED = 30  # seconds until the models that nobody asked for are loaded too


def main() -> None:
    with sync_playwright() as p:
        chromium = p.chromium.launch(executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=FLAGS)
        served, first = [], []
        for _ in range(SERVERS):
            with app() as (url, seconds):
                served.append(seconds)
                first.append(opened(chromium, url))
        print(f"served after {shown(served)} s; first picture {shown(first)} s after opening the page")
        with app() as (url, _):
            opened(chromium, url)
            time.sleep(SETTLED)
            print(f"first picture in a later session {shown([opened(chromium, url) for _ in range(5)])} s")
            page = chromium.new_page(viewport=WINDOW)
            page.goto(url)
            page.wait_for_selector(READY, timeout=90_000)
            asked, idle = redraws(page)
            print(f"a new question answered and redrawn: median {asked:.0f} ms of {QUESTIONS}")
            print(f"a widget that changes nothing: median {idle:.0f} ms; ratio {asked / idle:.2f}")
        chromium.close()


def shown(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} (median of {len(values)}, {min(values):.2f} to {max(values):.2f})"


@contextmanager
def app() -> Iterator[tuple[str, float]]:
    """The app on a free port, and the seconds until it was served."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    began = time.perf_counter()
    command = [sys.executable, "-m", "vlmlens", "app", "--headless", "--port", str(port)]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            try:
                urllib.request.urlopen(f"{url}/_stcore/health", timeout=1)
                break
            except OSError:
                time.sleep(0.1)
        yield url, time.perf_counter() - began
    finally:
        server.terminate()
        server.wait()


def opened(chromium: Browser, url: str) -> float:
    """Seconds until picture and answer are there, in a browser window that has loaded nothing yet."""
    page = chromium.new_page(viewport=WINDOW)
    began = time.perf_counter()
    page.goto(url)
    page.wait_for_selector(READY, timeout=90_000)
    page.wait_for_selector("p.lens-answer", timeout=90_000)
    seconds = time.perf_counter() - began
    page.wait_for_selector(IDLE, timeout=90_000)
    page.close()
    return seconds


def redraws(page: Page) -> tuple[float, float]:
    """Milliseconds from Enter to the new answer on screen and the script at rest; and from a neutral widget to rest."""
    questions = [q.text for q in crossed(7, 1)[1]]
    box = page.get_by_label("Question", exact=True)
    page.wait_for_selector(IDLE)
    asked, idle = [], []
    for question in questions[1 : QUESTIONS + 1]:
        box.fill(question)
        # The clock runs in the page: from the key to the first frame in which link, answer and rest agree.
        page.evaluate(
            """q => { window.done = null; window.t0 = performance.now();
              const tick = () => {
                const rest = document.querySelector('[data-testid="stApp"]').dataset.testScriptState === 'notRunning';
                const same = new URL(location).searchParams.get('q') === q;
                if (rest && same) { window.done = performance.now() - window.t0; } else { requestAnimationFrame(tick); }
              }; requestAnimationFrame(tick); }""",
            question,
        )
        box.press("Enter")
        page.wait_for_function("() => window.done !== null", timeout=30_000)
        asked.append(page.evaluate("window.done"))
    for turn in range(12):
        page.evaluate(
            """() => { window.done = null; window.began = false; window.t0 = performance.now();
              const tick = () => {
                const rest = document.querySelector('[data-testid="stApp"]').dataset.testScriptState === 'notRunning';
                if (!rest) window.began = true;
                if (rest && window.began) { window.done = performance.now() - window.t0; }
                else { requestAnimationFrame(tick); }
              }; requestAnimationFrame(tick); }"""
        )
        page.get_by_role("radio", name=("rate", "share")[turn % 2], exact=True).click()
        page.wait_for_function("() => window.done !== null", timeout=30_000)
        idle.append(page.evaluate("window.done"))
    return statistics.median(asked), statistics.median(idle)


if __name__ == "__main__":
    main()
