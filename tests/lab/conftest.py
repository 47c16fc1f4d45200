"""What the tests of the lab share."""

import re

import pytest
from hypothesis import strategies as st

from vlmlens.lab.scenes import CELLS, COLORS, JITTER, SHAPES, SIZES, Scene, Thing

NUMBERS = ["zero", "one", "two", "three", "four", "five"]
PLACES = {"column": ["left", "center", "right"], "row": ["top", "middle", "bottom"]}


@pytest.fixture(scope="session")
def any_scene():
    """A hypothesis strategy for scenes."""
    thing = st.builds(
        Thing, st.just(0), st.sampled_from(COLORS), st.sampled_from(SHAPES), st.sampled_from(SIZES),
        st.sampled_from(JITTER), st.sampled_from(JITTER),
    )  # fmt: skip

    @st.composite
    def scenes(draw):
        from dataclasses import replace

        cells = draw(st.lists(st.integers(0, CELLS - 1), max_size=5, unique=True))
        things = tuple(replace(draw(thing), cell=cell) for cell in cells)
        return Scene(things, draw(st.integers(0, 2**31 - 1)))

    return scenes()


@pytest.fixture(scope="session")
def answer_by_reading():
    """The answer to a question's text, worked out from the words alone; None where it has none."""

    def matching(words, scene):
        color = next((w for w in words if w in COLORS), None)
        shape = next((w.rstrip("s") for w in words if w.rstrip("s") in SHAPES), None)
        return [t for t in scene.things if (not color or t.color == color) and (not shape or t.shape == shape)]

    def read(text, scene):
        def the(words):
            found = matching(words.split(), scene)
            return found[0] if len(found) == 1 else None

        if m := re.fullmatch(r"what (color|shape|size) is the (.+)", text):
            thing = the(m[2])
            return thing and {"color": thing.color, "shape": thing.shape, "size": thing.size}[m[1]]
        if m := re.fullmatch(r"how many (.+) are there", text):
            return NUMBERS[len(matching(m[1].split(), scene))]
        if m := re.fullmatch(r"is there a (.+)", text):
            return "yes" if matching(m[1].split(), scene) else "no"
        if m := re.fullmatch(r"which (row|column) is the (.+) in", text):
            thing = the(m[2])
            return thing and PLACES[m[1]][thing.cell // 3 if m[1] == "row" else thing.cell % 3]
        m = re.fullmatch(r"is the (.+) (left of|above) the (.+)", text)
        one, other = the(m[1]), the(m[3])
        if one is None or other is None:
            return None
        before = one.cell % 3 < other.cell % 3 if m[2] == "left of" else one.cell // 3 < other.cell // 3
        return "yes" if before else "no"

    return read
