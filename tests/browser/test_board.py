"""The board in a real browser: what a person composes is the scene that Python gets, drawn as the lab draws it."""

import io
import re
import runpy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from vlmlens.lab.draw import draw
from vlmlens.lab.scenes import Scene, Thing

SCRIPT = Path(__file__).with_name("marking_demo.py")
SCENE: Scene = runpy.run_path(str(SCRIPT))["SCENE"]


class Board:
    """The board of the demo."""

    def __init__(self, page: Page):
        self.page = page
        self.root = page.locator(".board")
        expect(self.cell(8)).to_be_visible(timeout=15_000)

    def cell(self, cell: int) -> Locator:
        return self.root.locator(f'[data-cell="{cell}"]')

    def button(self, name: str) -> Locator:
        return self.root.get_by_role("button", name=name, exact=True)

    def choice(self, name: str, value: str) -> Locator:
        return self.root.locator(f'.choice[data-{name}="{value}"]')

    def drag(self, what: Locator, to: Locator) -> None:
        what.hover()
        self.page.mouse.down()
        to.hover(force=True)
        self.page.mouse.up()

    def expect(self, scene: Scene) -> None:
        """What Python got, whatever the order of the things."""
        line = self.page.get_by_text(re.compile("^scene: "))
        things = sorted(scene.things, key=lambda thing: thing.cell)
        for _ in range(50):
            told = Scene.from_json(line.inner_text().removeprefix("scene: "))
            if sorted(told.things, key=lambda thing: thing.cell) == things:
                break
            self.page.wait_for_timeout(100)
        assert sorted(told.things, key=lambda thing: thing.cell) == things
        assert told.noise_seed == scene.noise_seed


@pytest.fixture(scope="module")
def url(serve: Callable[..., str]) -> str:
    return serve(SCRIPT)


@pytest.fixture
def board(page: Page, url: str, wait_idle: Callable[..., None]) -> Board:
    page.goto(url)
    wait_idle(page)
    return Board(page)


def test_dragging_and_the_palette_compose_a_scene(board: Board) -> None:
    board.drag(board.cell(0), board.cell(2))  # moves, and keeps its place in the cell
    moved = SCENE.edit(0, cell=2)
    board.expect(moved)
    board.drag(board.cell(2), board.cell(4))  # onto another: they swap
    swapped = Scene((Thing(4, "red", "circle", "large", dx=1), Thing(2, "blue", "star", "small"), SCENE.things[2]), 7)
    board.expect(swapped)
    board.cell(8).click()
    board.choice("color", "purple").click()
    board.choice("shape", "triangle").click()
    board.choice("size", "small").click()
    dressed = swapped.edit(8, color="purple", shape="triangle", size="small")
    board.expect(dressed)
    board.cell(6).click()
    board.choice("shape", "star").click()  # on an empty cell: adds
    board.drag(board.choice("shape", "square"), board.cell(0))
    full = dressed.add(Thing(6, "purple", "star", "small")).add(Thing(0, "purple", "square", "small"))
    board.expect(full)
    board.cell(7).click()
    expect(board.choice("shape", "circle")).to_be_disabled()
    expect(board.root.locator(".count")).to_have_text("5 of at most 5 things. Remove one to add another.")
    board.drag(board.cell(4), board.page.locator("header").first)  # off the board: removes
    board.expect(full.without(4))
    for scene in (full, full.without(0), dressed):
        board.button("Undo").click()
        board.expect(scene)
    board.button("Redo").click()
    board.expect(full.without(0))


def test_the_keys_alone_compose_a_scene(board: Board) -> None:
    press = board.page.keyboard.press
    board.cell(0).focus()
    press("ArrowRight")
    press("Enter")  # to the palette
    press("Enter")  # its first kind, in the look of what was selected last
    added = SCENE.add(Thing(1, "red", "circle", "large"))
    board.expect(added)
    press("Escape")
    press("Shift+ArrowDown")  # takes the thing along, onto the star: they swap
    swapped = Scene(
        (SCENE.things[0], Thing(1, "blue", "star", "small"), Thing(4, "red", "circle", "large"), SCENE.things[2]), 7
    )
    board.expect(swapped)
    expect(board.cell(4)).to_be_focused()
    expect(board.cell(4)).to_have_attribute("aria-label", "row 2, column 2: large red circle")
    press("Delete")
    board.expect(swapped.without(4))
    press("Control+z")
    press("Control+z")
    board.expect(added)
    press("Control+Shift+z")
    board.expect(swapped)
    board.page.get_by_text("begin anew", exact=True).click()
    board.expect(SCENE)


def test_it_looks_as_the_lab_draws_it_and_a_finger_moves_it(
    new_page: Callable[..., Page], url: str, wait_idle: Callable[..., None]
) -> None:
    page = new_page(width=400, has_touch=True)
    page.goto(url)
    wait_idle(page)
    board = Board(page)
    board.cell(1).click()
    shown = Image.open(io.BytesIO(board.root.locator(".cells").screenshot())).convert("RGB")
    drawn = draw(SCENE, shown.width)
    side = shown.width // 3
    for thing in SCENE.things:
        left, top = thing.column * side, thing.row * side
        window = (left + 4, top + 4, left + side - 4, top + side - 4)  # without the lines between cells
        difference = np.abs(np.subtract(shown.crop(window), drawn.crop(window), dtype=float)).max(axis=-1)
        assert (difference > 40).mean() < 0.03, thing  # edges only
    touch = page.context.new_cdp_session(page)

    def finger(kind: str, cell: int | None) -> None:
        frame = board.cell(cell).bounding_box() if cell is not None else None
        at = [{"x": frame["x"] + frame["width"] / 2, "y": frame["y"] + frame["height"] / 2}] if frame else []
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})

    finger("touchStart", 0)
    finger("touchMove", 1)
    finger("touchMove", 2)
    finger("touchEnd", None)
    board.expect(SCENE.edit(0, cell=2))
