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

    def __init__(self, page: Page, key: str, boxes: np.ndarray | None = None):
        self.page = page
        self.boxes = DEMO["grid"]() if boxes is None else boxes
        self.root = page.locator(f".st-key-{key} .lens")
        self.canvas = self.root.locator("canvas.picture")
        expect(self.root).to_have_attribute("data-ready", "1", timeout=15_000)

    def point(self, x: float, y: float) -> tuple[float, float]:
        """Page coordinates of a point given in pixels of the picture."""
        frame = self.canvas.bounding_box()
        assert frame is not None
        return frame["x"] + x / SIZE[0] * frame["width"], frame["y"] + y / SIZE[1] * frame["height"]

    def centre(self, cell: int) -> tuple[float, float]:
        left, top, right, bottom = self.boxes[cell]
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

    def look(self, cell: int) -> None:
        self.canvas.scroll_into_view_if_needed()
        self.page.mouse.move(*self.centre(cell))

    def expect_tip(self, *lines: str) -> None:
        """What the tooltip says, line by line; nothing if it is hidden."""
        expect(self.root.locator(".tip:not([hidden]) > :not([hidden])")).to_have_text(list(lines))

    def expect_cell(self, cell: int) -> None:
        """The cell that the tooltip is about."""
        expect(self.root.locator(".tip:not([hidden]) span")).to_have_text(re.compile(rf"\bcell {cell}$"))

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


@pytest.fixture
def traffic(page: Page) -> list[str]:
    """What the page sends, if asked for before the page is opened: frames of its websocket and requests."""
    sent: list[str] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append("frame")))
    page.on("request", lambda request: sent.append(request.url))
    return sent


@pytest.fixture
def pair(page: Page, url: str, wait_idle: Callable[..., None]) -> tuple[Lens, Lens]:
    """Words at SIDE x SIDE cells, and a change at 2 x 2: the same link."""
    page.goto(url)
    wait_idle(page)
    return Lens(page, "read"), Lens(page, "change", DEMO["grid"](2, 0))


def expect_region(page: Page, cells: list[int], name: str = "region") -> None:
    """What Python was told."""
    expect(page.get_by_text(re.compile(f"^{name}: "))).to_have_text(f"{name}: {cells}", timeout=5000)


def test_scrubbing_redraws_without_asking_the_server(page: Page, traffic: list[str], lens: Lens) -> None:
    lens.expect(slice=3, head="mean")
    assert "frame" in traffic, "the page's own frames are not seen"
    traffic.clear()
    seen = {lens.pixels()}
    lens.canvas.focus()
    for slice_ in (4, 5, 6):
        page.keyboard.press("ArrowRight")
        lens.expect(slice=slice_)
        seen.add(lens.pixels())
    lens.root.locator("input.slice").press("ArrowRight")
    lens.expect(slice=7)
    seen.add(lens.pixels())
    lens.root.locator("input.slice").fill("11")
    lens.expect(slice=11)
    expect(lens.root.locator(".layers output")).to_have_text("readout · 12 / 12")
    seen.add(lens.pixels())
    lens.root.locator("input.opacity").fill("40")
    lens.root.locator('[data-scale="all"]').click()
    lens.root.locator('[data-head="2"]').click()
    lens.expect(head=2)
    seen.add(lens.pixels())
    lens.chip("circle").hover()
    page.wait_for_timeout(500)  # whatever would be sent late
    assert len(seen) == 7
    assert traffic == []


def test_a_scrub_takes_less_than_a_tenth_of_a_second(lens: Lens) -> None:
    """From the key's arrival in the page to the end of the frame that shows the layer: `data-slice` is set last."""
    times = lens.root.evaluate_handle(
        """root => {
            const times = [];
            let began = 0;
            root.addEventListener("keydown", () => (began = performance.now()), { capture: true });
            new MutationObserver(() => times.push(performance.now() - began))
                .observe(root, { attributeFilter: ["data-slice"], attributeOldValue: true });
            return times;
        }"""
    )
    for place, first in ((lens.canvas, 3), (lens.root.locator("input.slice"), 7)):
        place.focus()
        for slice_ in range(first + 1, first + 5):
            lens.page.keyboard.press("ArrowRight")
            lens.expect(slice=slice_)
    taken = times.json_value()
    assert len(taken) >= 8
    assert float(np.median(taken)) < 100, taken


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


def test_linked_pictures_show_their_values_at_the_same_place(pair: tuple[Lens, Lens], lens: Lens) -> None:
    read, change = pair
    assert lens.page == read.page
    read.look(13)
    change.expect_tip("−0.500 change of the log-probability", "4th highest of 4 · cell 0")
    lens.expect_tip()
    read.look(28)
    change.expect_tip("+0.0313 change of the log-probability", "3rd highest of 4 · cell 3")
    read.page.mouse.move(*read.point(20, 200))  # no cell there
    change.expect_tip()
    change.look(1)
    value = float(DEMO["read"]().values[0, :, 10].mean())  # the cell that holds the quarter's centre
    read.expect_cell(10)
    assert float(read.root.locator(".tip strong").inner_text().split()[0]) == pytest.approx(value, rel=0.01)
    change.page.mouse.move(5, 5)
    read.expect_tip()
    change.expect_tip()


def test_of_two_linked_cursors_the_one_that_moved_last_leads(pair: tuple[Lens, Lens]) -> None:
    read, change = pair
    press = read.page.keyboard.press
    change.look(3)
    read.expect_cell(28)
    read.canvas.focus()
    press("Shift+ArrowLeft")  # on from where the other led
    read.expect_cell(27)
    expect(read.root.locator(".said")).to_contain_text("cell 27")
    press("Shift+ArrowLeft")
    change.expect_cell(2)
    expect(change.root.locator(".said")).to_be_empty()  # one voice
    read.page.mouse.move(5, 5)  # leaves the one that follows
    change.expect_cell(2)
    change.look(0)
    read.expect_cell(7)
    read.canvas.blur()
    read.expect_cell(7)
    read.canvas.focus()
    press("Escape")  # hides it in the one that follows
    read.expect_tip()
    change.expect_cell(0)
    change.look(1)
    read.expect_cell(10)
    read.page.mouse.move(5, 5)
    read.expect_tip()
    change.expect_tip()


def test_a_linked_picture_that_goes_takes_its_cursor_and_listener_along(
    pair: tuple[Lens, Lens], wait_idle: Callable[..., None]
) -> None:
    read, change = pair
    page = read.page
    session = page.context.new_cdp_session(page)

    def listeners() -> int:
        handle = session.send("Runtime.evaluate", {"expression": "document"})["result"]["objectId"]
        found = session.send("DOMDebugger.getEventListeners", {"objectId": handle})["listeners"]
        return sum(listener["type"] == "vlmlens-cursor" for listener in found)

    before = listeners()
    change.look(2)
    read.expect_cell(25)
    toggle = page.locator(".st-key-change-shown input")
    toggle.evaluate("input => input.click()")  # which leaves the pointer where it is
    expect(change.root).to_have_count(0)
    read.expect_tip()
    assert listeners() == before - 1
    toggle.evaluate("input => input.click()")
    wait_idle(page)
    Lens(page, "change")
    read.look(0)
    change.expect_cell(0)
    assert listeners() == before


WHITE = """(canvas, [left, top, right, bottom]) => {
    const [x, y] = [canvas.width, canvas.height];
    const frame = [left * x, top * y, (right - left) * x, (bottom - top) * y].map(Math.round);
    const { data } = canvas.getContext("2d").getImageData(...frame);
    let count = 0;
    for (let i = 0; i < data.length; i += 4) count += Math.min(data[i], data[i + 1], data[i + 2]) > 225;
    return count;
}"""


def white(lens: Lens, cell: int) -> int:
    """White pixels of a cell: nothing but its word has any."""
    lens.settle()
    return int(lens.canvas.evaluate(WHITE, list(lens.boxes[cell] / [*SIZE, *SIZE])))


def test_a_word_is_written_in_its_cell_and_changes_with_the_layer(
    page: Page, traffic: list[str], pair: tuple[Lens, Lens]
) -> None:
    read, _ = pair
    words = DEMO["read"]().words
    traffic.clear()
    read.canvas.focus()
    for layer in range(3):
        written = {cell for cell in range(SIDE * SIDE) if white(read, cell) > 0}
        assert written == {cell for cell in range(SIDE * SIDE) if words[layer, cell]}
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    assert white(read, 0) == 0, "words are part of the map"
    assert traffic == []


def test_words_that_have_no_room_are_only_told(
    new_page: Callable[..., Page], url: str, wait_idle: Callable[..., None]
) -> None:
    page = new_page(width=260)
    page.goto(url)
    wait_idle(page)
    read = Lens(page, "read")
    assert all(white(read, cell) == 0 for cell in range(SIDE * SIDE))
    read.look(0)
    expect(read.root.locator(".tip b")).to_have_text("“red”")


def test_a_word_is_told_with_the_value(pair: tuple[Lens, Lens]) -> None:
    read, _ = pair
    maps = DEMO["read"]()
    read.canvas.focus()
    read.page.keyboard.press("Shift+ArrowRight")  # starts at the hottest
    for layer in range(3):
        hottest = int(maps.values[layer].mean(axis=0).argmax())
        word = f"“{maps.words[layer, hottest]}”"
        assert word != "“”"
        expect(read.canvas).to_have_attribute("aria-label", re.compile(rf"Hottest cell {hottest}: .*, {word}\."))
        read.look(hottest)
        expect(read.root.locator(".tip b")).to_have_text(word)
        read.page.keyboard.press("Escape")
        read.page.keyboard.press("Shift+ArrowRight")
        expect(read.root.locator(".said")).to_have_text(
            re.compile(rf"^0\.\d+ probability of the word, {word}, highest of 36 · cell {hottest}$")
        )
        read.page.keyboard.press("ArrowRight")
    silent = int(np.flatnonzero(maps.words[2] == "")[0])
    read.look(silent)
    expect(read.root.locator(".tip b")).to_be_hidden()


def test_another_unit_is_told_in_plain_numbers(pair: tuple[Lens, Lens], lens: Lens) -> None:
    read, change = pair
    most = float(DEMO["read"]().values[0].mean(axis=0).max())
    expect(read.root.locator(".low")).to_have_text("0")
    expect(read.root.locator(".high")).to_have_text(f"{most:#.3g}")
    expect(read.root.locator(".unit")).to_have_text("probability of the word")
    expect(change.root.locator(".low")).to_have_text("−2.00")
    expect(change.root.locator(".high")).to_have_text("+2.00")
    expect(lens.root.locator(".unit")).to_be_hidden()
    expect(lens.root.locator('[data-head="0"]')).to_have_attribute("title", re.compile("% of its attention is on the"))
    expect(read.root.locator('[data-head="0"]')).to_have_attribute("title", "head 0")


def test_one_slice_without_heads_has_no_rows_for_them(pair: tuple[Lens, Lens]) -> None:
    read, change = pair
    for row in (".layers", ".heads", ".scales"):
        expect(read.root.locator(row)).to_be_visible()
        expect(change.root.locator(row)).to_be_hidden()
    expect(change.root.locator(".caption")).to_have_text("all layers")
    change.canvas.focus()
    for key in ("ArrowRight", "ArrowDown"):
        change.page.keyboard.press(key)
    change.settle()
    change.expect(slice=0, head="mean")


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
    new_page: Callable[..., Page],
    url: str,
    wait_idle: Callable[..., None],
    axe_findings: Callable[[Page], dict[str, list[str]]],
    scheme: str,
    width: int,
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
    Lens(page, "read").look(0)
    expect(page.locator(".st-key-change .tip")).to_be_visible()
    assert not axe_findings(page)


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
