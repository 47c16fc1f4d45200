"""How long a person waits on the Counterfactual page: a slider moved, the answer, the budget and the maps redrawn.

Starts the app as `make app` does and drives it with Chromium (CHROMIUM=path, else /usr/bin/chromium). The rival for a
redraw is Streamlit's own round trip: on the same page, a widget that changes nothing on it. The server's work is a run
of the page's script without a browser: all of it, though a slider runs only its live part.
"""

import os
import statistics
import time
from pathlib import Path
from urllib.parse import quote

from page import FLAGS, IDLE, WINDOW, app
from playwright.sync_api import Page, sync_playwright
from streamlit.testing.v1 import AppTest

import vlmlens
from vlmlens.counterfactual.dose import dose
from vlmlens.lab.draw import render
from vlmlens.perturb import apply
from vlmlens.ui.source import examples

ROOT = Path(__file__).resolve().parents[1]
MOVES = 24
STEPS = '{"picture":[{"name":"noise","strength":0.05}]}'

# The clock runs in the page: from the key to the first frame in which what is asked for stands and the script rests.
CLOCK = """what => { window.done = null; window.began = false; window.t0 = performance.now();
  const told = () => [...document.querySelectorAll('.pairs, .thumbs img')].map(e => e.ariaLabel ?? e.src).join();
  const app = document.querySelector('[data-testid="stApp"]'), before = told();
  const seen = new MutationObserver(() => { window.began = true; });  // a run may be shorter than a frame
  seen.observe(app, { attributeFilter: ['data-test-script-state'] });
  const tick = () => {
    const shown = what === 'nothing' || told() !== before;
    if (app.dataset.testScriptState === 'notRunning' && window.began && shown) {
      window.done = performance.now() - window.t0; seen.disconnect();
    } else { requestAnimationFrame(tick); }
  }; requestAnimationFrame(tick); }"""


def main() -> None:
    server, sweep = scripted(), swept()
    with sync_playwright() as p:
        chromium = p.chromium.launch(executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=FLAGS)
        with app() as (url, _):
            page = chromium.new_page(viewport=WINDOW)
            page.goto(f"{url}/counterfactual?changes={quote(STEPS)}")
            page.wait_for_selector(".pairs", timeout=90_000)
            page.wait_for_selector(IDLE)
            time.sleep(30)  # the models that nobody asked for are loaded too
            moved, idle = sliders(page), neutral(page)
            curve = opened_curve(page)
        chromium.close()
    print(f"a slider moved, answer, budget and maps redrawn: {told(moved)}")
    print(
        f"a widget that changes nothing: {told(idle)}; ratio {statistics.median(moved) / statistics.median(idle):.2f}"
    )
    print(f"the server's work, the whole page: {told(server)}")
    print(f"a curve of 21 strengths: in the library {told(sweep)}; in the browser, from the click, {curve:.0f} ms")


def told(values: list[float]) -> str:
    return f"{statistics.median(values):.0f} ms (median of {len(values)}, {min(values):.0f} to {max(values):.0f})"


def timed(page: Page) -> float:
    page.wait_for_function("() => window.done !== null", timeout=30_000)
    found: float = page.evaluate("window.done")
    return found


def sliders(page: Page) -> list[float]:
    """Milliseconds from the key that moves the slider to the new answer, budget and maps, and the script at rest."""
    slider = page.get_by_role("slider", name="strength")
    found = []
    for turn in range(MOVES):
        slider.focus()
        page.evaluate(CLOCK, "something")
        page.keyboard.press("ArrowRight" if turn % 16 < 8 else "ArrowLeft")
        found.append(timed(page))
        page.wait_for_timeout(250)
    return found


def neutral(page: Page) -> list[float]:
    """The same for a button of the live part that changes nothing on it but itself."""
    found = []
    for turn in range(MOVES):
        page.evaluate(CLOCK, "nothing")
        page.get_by_role("radio", name=("Picture", "Words")[turn % 2], exact=True).click()
        found.append(timed(page))
        page.wait_for_timeout(250)
    return found


def opened_curve(page: Page) -> float:
    """Milliseconds from opening the fold to all 21 points on the screen."""
    began = time.perf_counter()
    page.get_by_text("How strong must the change be?").click()
    page.get_by_text("The strength is").wait_for(timeout=30_000)
    return 1000 * (time.perf_counter() - began)


def scripted() -> list[float]:
    """Milliseconds of runs of the page's script, each with another strength."""
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    at.switch_page("app_pages/counterfactual.py")
    at.query_params["changes"] = STEPS
    at.run()
    found = []
    for turn in range(MOVES):
        values = {"strength": round(0.1 + turn / 50, 3), "seed": 0}
        version = str(at.session_state["counterfactual"].version)
        rows = [{"row": 0, "values": values}]
        at.session_state["steps"] = {"told": {"version": version, "settled": True, "rows": rows}}
        began = time.perf_counter()
        at.run()
        found.append(1000 * (time.perf_counter() - began))
    assert at.session_state["counterfactual"].now.steps[0].strength == values["strength"]
    return found


def swept() -> list[float]:
    """Milliseconds of a whole curve of noise."""
    vlm, image = vlmlens.load("lab:concat"), render(examples()[0])
    found = []
    for _ in range(9):
        began = time.perf_counter()
        last = list(dose(vlm, lambda strength: apply("noise", image, strength).image, "what color is the star?"))[-1]
        found.append(1000 * (time.perf_counter() - began))
        assert last.complete
    return found


if __name__ == "__main__":
    main()
