"""The painter in a real browser: what a person marks is what Python gets."""

import re
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

SCRIPT = Path(__file__).with_name("marking_demo.py")
DEMO: dict[str, Any] = runpy.run_path(str(SCRIPT))
Painted, Region = DEMO["Painted"], DEMO["Region"]
STEP = 1 / DEMO["SIDE"]  # a pixel of the picture
NOTHING = Painted()
Point = tuple[float, float]


class Painter:
    """The painter of the demo."""

    def __init__(self, page: Page):
        self.page = page
        self.root = page.locator(".painter")
        self.canvas = self.root.locator("canvas.picture")
        self.ready()

    def ready(self) -> None:
        expect(self.root).to_have_attribute("data-ready", "1", timeout=15_000)

    def switch(self, name: str) -> None:
        self.page.get_by_text(name, exact=True).click()

    def button(self, name: str) -> Locator:
        return self.root.get_by_role("button", name=name, exact=True)

    def place(self, x: float, y: float) -> Point:
        frame = self.canvas.bounding_box()
        assert frame is not None
        return frame["x"] + x * frame["width"], frame["y"] + y * frame["height"]

    def drag(self, *points: Point) -> None:
        self.canvas.scroll_into_view_if_needed()
        self.page.mouse.move(*self.place(*points[0]))
        self.page.mouse.down()
        for point in points[1:]:
            self.page.mouse.move(*self.place(*point), steps=4)
        self.page.mouse.up()

    def told(self, pattern: str = "region=Region") -> Any:
        """What Python got, once it reads like this."""
        line = self.page.get_by_text(re.compile(r"^painted: "))
        expect(line).to_have_text(re.compile(pattern), timeout=5000)
        return eval(line.inner_text().removeprefix("painted: "), {"Painted": Painted, "Region": Region})

    def pixel(self, x: float, y: float) -> tuple[int, ...]:
        """The picture's colour at a point, half a second at most after it was asked for."""
        self.page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        read = "(c, [x, y]) => [...c.getContext('2d').getImageData(x * c.width, y * c.height, 1, 1).data].slice(0, 3)"
        return tuple(self.canvas.evaluate(read, [x, y]))


@pytest.fixture(scope="module")
def url(serve: Callable[..., str]) -> str:
    return serve(SCRIPT)


@pytest.fixture
def painter(page: Page, url: str, wait_idle: Callable[..., None]) -> Painter:
    page.goto(url)
    wait_idle(page)
    return Painter(page)


def close(points: Any, expected: Any) -> bool:
    """Within a pixel of the picture."""
    return np.shape(points) == np.shape(expected) and bool(np.abs(np.subtract(points, expected)).max() <= 1.5 * STEP)


def test_box_lasso_and_brush_arrive_in_fractions(painter: Painter) -> None:
    painter.drag((0.7, 0.6), (0.2, 0.3))  # from the lower right
    told = painter.told("kind='box'")
    assert close(told.region.points, ((0.2, 0.3), (0.7, 0.6)))
    assert told.to is None
    painter.button("Lasso").click()
    painter.drag((0.1, 0.1), (0.5, 0.1), (0.5, 0.5), (0.1, 0.1))
    lasso = painter.told("kind='lasso'").region
    assert close(lasso.points[:3], ((0.1, 0.1), (0.5, 0.1), (0.5, 0.5)))
    assert len(lasso.points) <= 5  # straight lines need no points between
    painter.button("Brush").click()
    painter.root.locator("input.radius").fill("4")
    painter.drag((0.2, 0.8), (0.6, 0.8))
    stroke = painter.told("kind='brush'").region
    assert stroke.radius == 0.04
    assert close(stroke.points, ((0.2, 0.8), (0.6, 0.8)))
    painter.drag((0.6, 0.81), (0.6, 0.4))  # starts on the stroke: goes on with it
    longer = painter.told(r"0\.4\d*\)\), radius").region
    assert close(longer.points[0], (0.2, 0.8))
    assert close(longer.points[-1], (0.6, 0.4))
    painter.page.keyboard.press("Escape")
    assert painter.told("region=None") == NOTHING


def test_a_stroke_made_while_the_script_runs_is_not_lost(painter: Painter, wait_idle: Callable[..., None]) -> None:
    painter.switch("slow")
    wait_idle(painter.page)
    painter.drag((0.1, 0.1), (0.2, 0.2))
    expect(painter.page.locator('[data-test-script-state="running"]')).to_be_attached()
    painter.drag((0.5, 0.5), (0.9, 0.9))
    wait_idle(painter.page)
    assert close(painter.told().region.points, ((0.5, 0.5), (0.9, 0.9)))
    expect(painter.root).to_have_attribute("data-mark", "box")


def test_an_object_is_taken_and_dragged_to_where_it_goes(painter: Painter) -> None:
    page = painter.page
    painter.switch("target")
    painter.button("Object").click()
    page.mouse.click(*painter.place(0.5, 0.5))
    star = dict(DEMO["boxes"](DEMO["SCENE"]))["small blue star"]
    assert close(painter.told().region.points, (star[:2], star[2:]))
    expect(painter.root.locator(".yours")).to_contain_text("small blue star")
    painter.drag((0.5, 0.5), (0.8, 0.2))
    told = painter.told("to=\\(")
    assert close(told.to, (0.8, 0.2))
    assert close(told.region.points, (star[:2], star[2:]))
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    moved = painter.told(f"to=\\({told.to[0] + 2 * STEP:.3f}")
    assert np.subtract(moved.to, told.to) == pytest.approx((2 * STEP, STEP), abs=1e-4)
    page.keyboard.press("t")  # now the arrows move the region
    page.keyboard.press("Shift+ArrowLeft")
    told = painter.told(f"points=\\(\\({star[0] - 10 * STEP:.3f}")
    assert close(told.region.points, ((star[0] - 10 * STEP, star[1]), (star[2] - 10 * STEP, star[3])))
    assert told.to == moved.to


def test_the_picture_changes_under_the_mark_and_before_is_a_key_away(
    page: Page, url: str, wait_idle: Callable[..., None]
) -> None:
    down: list[bytes | str] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: down.append(frame)))
    page.goto(url)
    wait_idle(page)
    painter = Painter(page)
    grey = painter.pixel(0.8, 0.1)
    painter.switch("fill")
    wait_idle(page)
    painter.canvas.evaluate(
        """canvas => {
            const look = () => {
                const [r, g, b, a] = canvas.getContext("2d").getImageData(5, 5, 1, 1).data;
                if (a === 0) canvas.dataset.flickered = "1";
                requestAnimationFrame(look);
            };
            look();
        }"""
    )
    painter.drag((0.7, 0.05), (0.95, 0.3))
    assert painter.told().region.kind == "box"
    wait_idle(page)
    painter.ready()
    dark = painter.pixel(0.8, 0.1)
    assert max(dark) < 80  # black under a veil of the mark
    painter.canvas.focus()
    page.keyboard.down("Space")
    expect(painter.root).to_have_attribute("data-sees", "before")
    assert min(painter.pixel(0.8, 0.1)) > 120
    page.keyboard.up("Space")
    expect(painter.root).to_have_attribute("data-sees", "shown")
    assert painter.pixel(0.8, 0.1) == dark
    painter.button("Before").click()
    assert min(painter.pixel(0.8, 0.1)) > 120
    painter.button("Before").click()
    painter.button("Clear").click()
    wait_idle(page)
    assert painter.told("region=None") == NOTHING
    painter.ready()
    assert painter.pixel(0.8, 0.1) == grey
    expect(painter.canvas).not_to_have_attribute("data-flickered", "1")
    down.clear()
    painter.button("Brush").click()
    painter.drag((0.3, 0.8), (0.4, 0.8))  # changes no pixel of the demo's picture
    painter.told("kind='brush'")
    wait_idle(page)
    assert sum(len(frame) for frame in down) < 12_000, "a picture was sent again"


@pytest.mark.parametrize(("width", "scheme"), [(400, "light"), (1440, "dark")])
def test_both_fit_and_have_nothing_serious_for_axe(
    new_page: Callable[..., Page],
    url: str,
    wait_idle: Callable[..., None],
    axe_findings: Callable[[Page], dict[str, list[str]]],
    width: int,
    scheme: str,
) -> None:
    page = new_page(width=width, scheme=scheme, has_touch=width == 400)
    page.goto(url)
    wait_idle(page)
    painter = Painter(page)
    painter.switch("begin anew")
    told = painter.told()
    assert told == DEMO["START"]  # the page's own mark
    painter.canvas.focus()
    page.keyboard.press("]")
    assert close(painter.told(r"0\.502").region.points, ((0.1 - STEP, 0.2 - STEP), (0.5 + STEP, 0.4 + STEP)))
    expect(painter.canvas).to_have_attribute("aria-label", re.compile(r"480 by 480 pixels; your region: box, 194 × 98"))
    page.keyboard.press("?")
    expect(painter.root.locator(".help")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert not axe_findings(page)
