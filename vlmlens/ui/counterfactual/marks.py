"""What is marked on the picture, kept for the change that is added next."""

import streamlit as st

from vlmlens.lab.draw import CELL_PIXELS, PIXELS, RADIUS
from vlmlens.lab.scenes import Scene
from vlmlens.perturb import PERTURBATIONS, Step
from vlmlens.ui.painter import Box, Painted

MARK = "counterfactual-mark"
MARGIN = 1.25  # of a thing's radius: its corners and its blurred edge
MOVES = {"move", "copy", "swap", "scale", "crop", "flip", "rotate", "shuffle"}  # after these, things are elsewhere


def marked() -> Painted:
    """As the page last saw it; without a region where nothing is marked."""
    found: Painted = st.session_state.get(MARK, Painted())
    return found


def see(painted: Painted) -> bool:
    """Keep what is marked. Returns whether it is new."""
    new = painted != marked()
    st.session_state[MARK] = painted
    return new


def targeted(steps: tuple[Step, ...]) -> int | None:
    """The last step that takes the marked region somewhere: its target is what the ring on the picture moves."""
    region = marked().region
    for place in range(len(steps) - 1, -1, -1):
        step = steps[place]
        if PERTURBATIONS[step.name].needs_target:
            return place if region is not None and step.region == region else None
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
