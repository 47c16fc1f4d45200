"""Training as a person sees it: it belongs to the server and survives reload and page change; Stop stops; axe."""

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, expect

from vlmlens.lab import runs
from vlmlens.lab.training import Plan

ROOT = Path(__file__).resolve().parents[2]
LONG = {"train-steps": 20000, "train-width": 16, "train-batch": 16, "train-pool": 256, "train-side": 1}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def lab(serve: Callable[..., str], folder: Path) -> str:
    """The app with an empty folder of runs."""
    return serve(ROOT / "app.py", {"VLMLENS_RUNS": str(folder)})


@pytest.fixture
def stopped(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A run with curves that is not finished, made by another process than the app's."""
    monkeypatch.setenv("VLMLENS_RUNS", str(folder))
    name = "half"
    if name not in [run.name for run in runs.every()]:
        steps = runs.start(name, Plan("gated", width=16, batch=16, pool=256, steps=40, side=1)).train()
        for _ in range(25):
            next(steps)
        steps.close()
    return name


def opened(page: Page, url: str, **link: object) -> None:
    page.goto(f"{url}/fusion?{urlencode({'view': 'Train'} | link, doseq=True)}")
    expect(page.get_by_text("What does a wiring learn")).to_be_visible(timeout=60_000)


def step(page: Page) -> int:
    told = page.get_by_text(re.compile(r"step \d+ of 20000")).first
    expect(told).to_be_visible(timeout=60_000)
    return int(re.search(r"step (\d+) of", told.inner_text())[1])


def test_a_run_survives_reload_and_page_change_stops_and_goes_on(lab, page, new_page, axe_findings, wait_idle):
    opened(page, lab, **LONG)
    expect(page.get_by_text("A first experiment")).to_be_visible(timeout=60_000)
    expect(page.get_by_text(re.compile("It takes .* an estimate"))).to_be_visible(timeout=60_000)
    wait_idle(page)
    assert not axe_findings(page)
    page.get_by_role("button", name="Start training").click()
    begun = step(page)

    page.reload()
    after_reload = step(page)
    page.get_by_role("link", name="Information").click()
    expect(page.get_by_role("radio", name="Gates")).to_be_visible(timeout=60_000)
    page.get_by_role("link", name="Fusion").click()
    back = step(page)
    assert begun <= after_reload < back

    other = new_page(400, 900, "dark")  # someone else, on a phone
    opened(other, lab)
    assert step(other) >= back
    expect(other.locator("[data-testid='stVegaLiteChart']").first).to_be_visible(timeout=60_000)
    assert not other.evaluate("document.documentElement.scrollWidth > window.innerWidth + 2")

    page.get_by_role("button", name="Stop").click()
    stopped = page.get_by_text(re.compile(r"Stopped after step \d+"))
    expect(stopped).to_be_visible(timeout=30_000)  # mostly at once; the machine may be busy
    at = stopped.inner_text()
    page.wait_for_timeout(1_500)
    assert stopped.inner_text() == at
    expect(other.get_by_text(at)).to_be_visible(timeout=60_000)  # it is told there, too

    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("button", name="Stop")).to_be_visible(timeout=60_000)
    for _ in range(60):
        if step(page) > int(re.search(r"step (\d+)", at)[1]):
            break
        page.wait_for_timeout(500)
    else:
        raise AssertionError("it never went on")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Resume")).to_be_visible(timeout=30_000)


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (400, "dark")])
def test_nothing_serious_for_axe_and_nothing_sideways(lab, stopped, new_page, fine, wait_idle, width, scheme):
    """A run that has ended, everything unfolded."""
    page = new_page(width, 900, scheme)
    opened(page, lab, **{"train-run": stopped})
    expect(page.get_by_role("button", name="Resume")).to_be_visible(timeout=60_000)
    for fold in ("What does it practice?", "How large is it", "What learns, and how fast?", "With which remedies?"):
        page.get_by_text(fold).click()
    wait_idle(page)
    fine(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_cannot_be_is_told_readably(lab, new_page, axe_findings, wait_idle, scheme):
    page = new_page(1440, 900, scheme)
    opened(page, lab, **{"train-steps": 0})
    expect(page.get_by_text("Steps is a whole number from 1 to 20000, not 0.")).to_be_visible(timeout=60_000)
    expect(page.get_by_role("button", name="Start training")).to_have_count(0)
    wait_idle(page)
    assert not axe_findings(page)
