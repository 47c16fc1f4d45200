"""The picture component in a real browser, against the numbers that Python sent it."""

import re
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

SCRIPT = Path(__file__).with_name("picture_demo.py")
DEMO: dict[str, Any] = runpy.run_path(str(SCRIPT))
SIDE, SIZE = DEMO["SIDE"], DEMO["SIZE"]


class Lens:
    """One picture on the page."""

    def __init__(self, page: Page, key: str):
        self.page = page
        self.root = page.locator(f".st-key-{key} .lens")
        self.canvas = self.root.locator("canvas.picture")
        expect(self.root).to_have_attribute("data-ready", "1", timeout=15_000)

    def point(self, x: float, y: float) -> tuple[float, float]:
        """Page coordinates of a point given in pixels of the picture."""
        frame = self.canvas.bounding_box()
        assert frame is not None
        return frame["x"] + x / SIZE[0] * frame["width"], frame["y"] + y / SIZE[1] * frame["height"]

    def centre(self, cell: int) -> tuple[float, float]:
        left, top, right, bottom = DEMO["grid"]()[cell]
        return self.point((left + right) / 2, (top + bottom) / 2)

    def drag(self, *cells: int) -> None:
        """Press on the first cell's centre, move in one jump to each of the others, let go."""
        self.canvas.scroll_into_view_if_needed()
        self.page.mouse.move(*self.centre(cells[0]))
        self.page.mouse.down()
        for cell in cells[1:]:
            self.page.mouse.move(*self.centre(cell))
        self.page.mouse.up()

    def tool(self, name: str) -> None:
        self.root.locator(f'[data-tool="{name}"]').click()

    def pixels(self) -> str:
        self.settle()
        return str(self.canvas.evaluate("canvas => canvas.toDataURL()"))

    def settle(self) -> None:
        self.page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def chip(self, text: str) -> Locator:
        return self.root.locator(".chip", has_text=re.compile(f"^{re.escape(text)}$"))

    def tip(self) -> float:
        """The tooltip's value, as a fraction."""
        self.settle()
        return float(self.root.locator(".tip strong").inner_text().split(" %")[0]) / 100

    def expect(self, **attributes: str | int) -> None:
        for name, value in attributes.items():
            expect(self.root).to_have_attribute(f"data-{name}", str(value))


@pytest.fixture(scope="module")
def url(serve: Callable[..., str]) -> str:
    return serve(SCRIPT)


@pytest.fixture
def demo() -> Any:
    return DEMO["make"]()


@pytest.fixture
def lens(page: Page, url: str, wait_idle: Callable[..., None]) -> Lens:
    page.goto(url)
    wait_idle(page)
    return Lens(page, "first")


def expect_region(page: Page, cells: list[int], name: str = "region") -> None:
    """What Python was told."""
    expect(page.get_by_text(re.compile(f"^{name}: "))).to_have_text(f"{name}: {cells}", timeout=5000)


def test_scrubbing_redraws_without_asking_the_server(page: Page, url: str, wait_idle: Callable[..., None]) -> None:
    frames: list[object] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: frames.append(frame)))
    page.goto(url)
    wait_idle(page)
    lens = Lens(page, "first")
    lens.expect(slice=3, head="mean")
    requests: list[str] = []
    frames.clear()
    page.on("request", lambda request: requests.append(request.url))
    seen = {lens.pixels()}
    lens.canvas.focus()
    for slice_ in (4, 5, 6):
        page.keyboard.press("ArrowRight")
        lens.expect(slice=slice_)
        seen.add(lens.pixels())
    lens.root.locator("input.slice").fill("11")
    lens.expect(slice=11)
    expect(lens.root.locator(".layers output")).to_have_text("readout · 12 / 12")
    seen.add(lens.pixels())
    lens.root.locator("input.opacity").fill("40")
    lens.root.locator('[data-scale="all"]').click()
    lens.root.locator('[data-head="2"]').click()
    lens.chip("circle").hover()
    lens.settle()
    assert len(seen) == 5
    assert frames == []
    assert requests == []


def test_a_scrub_takes_less_than_a_tenth_of_a_second(lens: Lens) -> None:
    times = lens.root.evaluate(
        """async root => {
            const input = root.querySelector("input.slice"), times = [];
            for (const slice of [4, 9, 0, 7, 11]) {
                const began = performance.now();
                input.value = slice;
                input.dispatchEvent(new Event("input", { bubbles: true }));
                while (root.dataset.slice !== String(slice)) await new Promise(requestAnimationFrame);
                times.push(performance.now() - began);
            }
            return times;
        }"""
    )
    assert float(np.median(times)) < 100, times


def test_the_brush_marks_exactly_the_cells_it_crossed(lens: Lens) -> None:
    lens.tool("brush")
    lens.drag(13, 16, 28)  # along a row, then down a column, in two jumps
    expect_region(lens.page, [13, 14, 15, 16, 22, 28])
    lens.expect(region="13,14,15,16,22,28")
    lens.drag(15, 16)  # starts on a marked cell: erases
    expect_region(lens.page, [13, 14, 22, 28])
    lens.root.locator("button.clear").click()
    expect_region(lens.page, [])


def test_a_stroke_sends_little_and_gets_little_back(page: Page, url: str, wait_idle: Callable[..., None]) -> None:
    down: list[bytes | str] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: down.append(frame)))
    page.goto(url)
    wait_idle(page)
    lens = Lens(page, "first")
    lens.tool("brush")
    down.clear()
    lens.drag(0, 1)
    expect_region(page, [0, 1])
    wait_idle(page)
    assert sum(len(frame) for frame in down) < 10_000, "picture or maps were sent again"


def test_a_box_marks_the_cells_whose_centre_it_holds(lens: Lens) -> None:
    lens.tool("box")
    left, top, _, _ = DEMO["grid"]()[7]
    _, _, right, bottom = DEMO["grid"]()[15]
    page = lens.page
    page.mouse.move(*lens.point(left + 3, top + 3))
    page.mouse.down()
    page.mouse.move(*lens.point(right + 3, bottom - 3), steps=3)  # just into the next column, not to its centres
    page.mouse.up()
    expect_region(page, [7, 8, 9, 13, 14, 15])
    page.keyboard.down("Shift")
    x, y = lens.centre(35)
    page.mouse.move(x - 10, y - 10)
    page.mouse.down()
    page.mouse.move(x + 10, y + 10)
    page.mouse.up()
    page.keyboard.up("Shift")
    expect_region(page, [7, 8, 9, 13, 14, 15, 35])
    page.mouse.click(*lens.centre(0))  # a click is no box
    lens.settle()
    lens.expect(region="7,8,9,13,14,15,35")


def test_keys(lens: Lens) -> None:
    page = lens.page
    press = page.keyboard.press
    lens.canvas.focus()
    press("ArrowLeft")
    press("ArrowDown")
    press("ArrowDown")
    lens.expect(slice=2, head=1)
    press("ArrowUp")
    press("ArrowUp")
    press("ArrowUp")
    lens.expect(head="mean")
    shown = lens.pixels()
    press("Space")
    lens.expect(map="off")
    assert lens.pixels() != shown
    press("Space")
    lens.expect(map="on")
    assert lens.pixels() == shown
    press("?")
    expect(lens.root.locator(".help")).to_be_visible()
    press("Escape")
    expect(lens.root.locator(".help")).to_be_hidden()


def test_cells_can_be_read_and_marked_with_the_keys_alone(lens: Lens, demo: Any) -> None:
    page = lens.page
    lens.tool("brush")
    lens.canvas.focus()
    page.keyboard.press("Shift+ArrowRight")  # starts at the hottest
    hottest = int(demo.maps.values[3].mean(axis=0).argmax())
    expect(lens.root.locator(".tip span")).to_contain_text("hottest of 36")
    expect(lens.root.locator(".said")).to_contain_text("% of the attention")
    page.keyboard.press("x")
    column, row = hottest % SIDE, hottest // SIDE
    step = ("Shift+ArrowRight", 1) if column + 1 < SIDE else ("Shift+ArrowLeft", -1)
    page.keyboard.press(step[0])
    page.keyboard.press("Enter")
    expect_region(page, sorted([hottest, hottest + step[1]]))
    step = ("Shift+ArrowDown", SIDE) if row + 1 < SIDE else ("Shift+ArrowUp", -SIDE)
    page.keyboard.press(step[0])
    expect(lens.root.locator(".said")).not_to_contain_text("marked")
    page.keyboard.press("Escape")
    expect(lens.root.locator(".tip")).to_be_hidden()


def test_the_tooltip_tells_the_true_value(lens: Lens, demo: Any) -> None:
    values = demo.maps.values
    for picked, expected in (((), values[3].mean(axis=0)), ((2,), values[3, 2]), ((2, 0), values[3, [0, 2]].mean(0))):
        for head in picked[:1]:
            lens.root.locator(f'[data-head="{head}"]').click()
        for head in picked[1:]:
            lens.root.locator(f'[data-head="{head}"]').click(modifiers=["Shift"])
        if picked[:1] == (2,) and len(picked) == 2:
            lens.expect(head="0,2")
        for cell in (0, 8, 21, int(expected.argmin()), int(expected.argmax())):
            lens.page.mouse.move(*lens.centre(cell))
            assert lens.tip() == pytest.approx(float(expected[cell]), rel=0.01)
            rank = 1 + int((expected > expected[cell]).sum())
            if rank > 3:
                expect(lens.root.locator(".tip span")).to_contain_text(
                    re.compile(rf"^{rank}\w\w hottest of 36 · token")
                )
        lens.root.locator('[data-head="mean"]').click()


def test_a_word_shows_where_it_looks_and_stays_when_clicked(lens: Lens, demo: Any) -> None:
    answer = lens.pixels()
    caption = lens.root.locator(".caption")
    lens.chip("circle").hover()
    expect(caption).to_have_text("where “circle” looks, layer 3")
    assert lens.pixels() != answer
    lens.chip("red").hover()  # nothing recorded for it
    expect(caption).to_have_text("layer 3, mean of 4 heads")
    lens.chip("circle").click()
    row = demo.maps.token_rows.index(next(i for i, t in enumerate(demo.tokens) if t.text == "circle"))
    lens.page.mouse.move(*lens.centre(10))
    expect(caption).to_have_text("where “circle” looks, layer 3")
    assert lens.tip() == pytest.approx(float(demo.maps.tokens[3, row, 10]), rel=0.01)
    lens.canvas.focus()
    lens.page.keyboard.press("ArrowRight")
    expect(caption).to_have_text("where “circle” looks, layer 4")
    lens.chip("circle").click()
    lens.page.mouse.move(5, 5)
    expect(caption).to_have_text("layer 4, mean of 4 heads")


def test_a_cell_and_its_token_light_up_together(lens: Lens) -> None:
    mini = lens.root.locator("canvas.mini")
    before = mini.evaluate("canvas => canvas.toDataURL()")
    lens.page.mouse.move(*lens.centre(8))
    lens.settle()
    assert mini.evaluate("canvas => canvas.toDataURL()") != before
    expect(lens.root.locator(".tip span")).to_contain_text("token 11")
    mini.hover(position={"x": 6 + 9 * 2 + 4, "y": 9 * 1 + 4})  # third column, second row
    lens.settle()
    expect(lens.root.locator(".tip span")).to_contain_text("token 11")


def test_reruns_keep_what_the_user_chose_and_add_no_second_listener(lens: Lens, wait_idle: Callable[..., None]) -> None:
    lens.canvas.focus()
    lens.page.keyboard.press("ArrowRight")
    lens.root.locator('[data-head="1"]').click()
    lens.root.locator("input.opacity").fill("30")
    lens.chip("colour").click()
    lens.tool("brush")
    for cell in (3, 9):
        lens.drag(cell, cell + 1)
        wait_idle(lens.page)
    lens.expect(slice=4, head=1, region="3,4,9,10")
    expect(lens.root.locator("input.opacity")).to_have_value("30")
    expect(lens.root.locator(".caption")).to_have_text("where “colour” looks, layer 4")
    lens.canvas.focus()
    lens.page.keyboard.press("ArrowRight")
    lens.expect(slice=5)


def test_a_new_picture_keeps_the_layer_and_drops_the_region(lens: Lens, wait_idle: Callable[..., None]) -> None:
    page = lens.page
    lens.canvas.focus()
    page.keyboard.press("ArrowRight")
    lens.tool("brush")
    lens.drag(3, 4)
    expect_region(page, [3, 4])
    before = lens.pixels()
    page.locator(".st-key-seed label", has_text="1").click()
    wait_idle(page)
    lens.expect(ready=1, slice=4, region="")
    expect_region(page, [])
    assert lens.pixels() != before
    lens.drag(7, 8)
    expect_region(page, [7, 8])


def test_two_pictures_on_a_page_leave_each_other_alone(lens: Lens) -> None:
    second = Lens(lens.page, "second")
    still = lens.pixels()
    second.tool("brush")
    second.drag(3, 4)
    expect_region(lens.page, [3, 4], "second region")
    expect_region(lens.page, [])
    lens.expect(tool="hover", region="")
    lens.page.mouse.move(5, 5)
    assert lens.pixels() == still


def test_the_models_pixels_can_be_switched_on(lens: Lens) -> None:
    second = Lens(lens.page, "second")
    crisp = second.pixels()
    second.root.get_by_label("pixels the model gets").check(force=True)
    assert second.pixels() != crisp
    expect(lens.root.locator(".pixels")).to_be_hidden()  # there is no other view of the first


def test_a_signed_map_has_a_scale_about_zero(lens: Lens, demo: Any) -> None:
    second = Lens(lens.page, "second")
    contrast = (demo.maps.values[5] - demo.maps.values[2]).mean(axis=0)
    most = float(np.abs(contrast).max())
    low, high = (second.root.locator(name).inner_text() for name in (".low", ".high"))
    assert low == high.replace("+", "\u2212")
    assert float(high) == pytest.approx(most, rel=0.01)


def test_what_no_cell_covers_is_hatched_and_said(lens: Lens) -> None:
    expect(lens.root.get_by_text("not seen by the model")).to_be_visible()
    lens.page.mouse.move(*lens.point(20, 200))
    lens.settle()
    expect(lens.root.locator(".tip")).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1440])
def test_it_fits_and_reads_in_both_schemes(
    new_page: Callable[..., Page], url: str, wait_idle: Callable[..., None], scheme: str, width: int
) -> None:
    page = new_page(width=width, scheme=scheme, device_scale_factor=2, has_touch=width == 400)
    page.goto(url)
    wait_idle(page)
    lens = Lens(page, "first")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    frame = lens.canvas.bounding_box()
    assert frame is not None
    assert frame["width"] <= width - 32
    assert frame["height"] <= 521
    assert frame["width"] / frame["height"] == pytest.approx(SIZE[0] / SIZE[1], rel=0.01)
    assert lens.canvas.evaluate("c => c.width / c.clientWidth") == pytest.approx(2, rel=0.01)
    for name in (
        ".caption",
        ".scale",
        ".name",
        ".chip.question",
        ".chip.instruction",
        ".segments",
        '[data-tool="box"]',
    ):
        assert contrast(lens.root.locator(name).first) >= 4.5, name


CONTRAST = """node => {
    const pen = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
    const paint = colour => { pen.fillStyle = colour; pen.fillRect(0, 0, 1, 1); };
    const luminance = () => [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3)
        .map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    paint(getComputedStyle(document.querySelector(".stApp")).backgroundColor);
    paint(getComputedStyle(node).backgroundColor);
    const back = luminance();
    paint(getComputedStyle(node).color);
    const [low, high] = [back, luminance()].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
}"""


def contrast(node: Locator) -> float:
    """WCAG contrast of a node's text with what is behind it."""
    return float(node.evaluate(CONTRAST))


def test_everything_that_can_be_operated_has_a_name(lens: Lens) -> None:
    nameless = lens.root.evaluate(
        """root => [...root.querySelectorAll("button, input, canvas[tabindex], [role=img]")]
            .filter(n => !n.getAttribute("aria-label") && !(n.closest("label") ?? n).textContent.trim())
            .map(n => n.outerHTML)"""
    )
    assert nameless == []
    label = lens.canvas.get_attribute("aria-label") or ""
    assert "layer 3, mean of 4 heads" in label
    assert "Hottest cell" in label
