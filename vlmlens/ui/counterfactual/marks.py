"""What is marked on the picture, kept for the change that is added next."""

from dataclasses import dataclass

import streamlit as st

from vlmlens.errors import PictureError
from vlmlens.lab.draw import CELL_PIXELS, PIXELS, RADIUS
from vlmlens.lab.scenes import Scene
from vlmlens.perturb import PERTURBATIONS, Region, Step
from vlmlens.ui.counterfactual import state
from vlmlens.ui.painter import Box, Painted

MARK = "counterfactual-mark"
MARGIN = 1.25  # of a thing's radius: its corners and its blurred edge
MOVES = {"move", "copy", "swap", "scale", "crop", "flip", "rotate", "shuffle"}  # after these, things are elsewhere


@dataclass(frozen=True)
class Mark:
    region: Region
    to: tuple[float, float] | None


def marked() -> Mark | None:
    """As the page last saw it."""
    found: Mark | None = st.session_state.get(MARK)
    return found


def see(painted: Painted) -> Mark | None:
    """Keep what was marked. Returns it where it is new."""
    mark = None
    if painted.region is not None:
        try:
            mark = Mark(Region(painted.region.kind, painted.region.points, painted.region.radius), painted.to)
        except PictureError as error:
            state.say(str(error))
    new = mark if mark != marked() else None
    st.session_state[MARK] = mark
    return new


def targeted(steps: tuple[Step, ...]) -> int | None:
    """The last step that takes the marked region somewhere: its target is what the ring on the picture moves."""
    mark = marked()
    for place in range(len(steps) - 1, -1, -1):
        step = steps[place]
        if PERTURBATIONS[step.name].needs_target:
            return place if mark is not None and step.region == mark.region else None
    return None


def objects(scene: Scene | None, steps: tuple[Step, ...]) -> list[tuple[str, Box]]:
    """The things of a lab scene with their boxes in fractions; none where a change has put them elsewhere."""
    if scene is None or any(step.name in MOVES for step in steps):
        return []
    found: list[tuple[str, Box]] = []
    for thing in scene.things:
        x, y = ((cell + 0.5) * CELL_PIXELS + shift for cell, shift in ((thing.column, thing.dx), (thing.row, thing.dy)))
        reach = MARGIN * RADIUS[thing.size]
        corners = (x - reach, y - reach, x + reach, y + reach)
        left, top, right, bottom = (min(1.0, max(0.0, corner / PIXELS)) for corner in corners)
        found.append((str(thing), (left, top, right, bottom)))
    return found
