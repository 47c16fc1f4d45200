"""What is the smallest change that flips the answer? A greedy search over patches, beside patches in random order."""

import json
from collections.abc import Iterator

import numpy as np
import streamlit as st

from vlmlens.counterfactual.smallest import Smallest, blurred, mean_colour
from vlmlens.counterfactual.smallest import smallest as search
from vlmlens.models import as_image
from vlmlens.perturb import Region, Step
from vlmlens.picture import encode_png, for_display
from vlmlens.progress import Progress
from vlmlens.ui.counterfactual import editor
from vlmlens.ui.counterfactual.asking import Runs
from vlmlens.ui.counterfactual.words import SMALLEST
from vlmlens.ui.jobs import live
from vlmlens.ui.look import titled
from vlmlens.ui.picture import picture
from vlmlens.ui.save import download

FILLS = {"mean colour": (mean_colour, "fill-mean"), "blur": (blurred, "fill-blur")}
SIDES = (4, 6, 8, 12)
ORDERS = 20
PIXELS = 700


def draw(runs: Runs) -> None:
    kind, side, start = st.columns(3)
    fill = str(kind.selectbox("Fill with", list(FILLS), key="smallest-fill", bind="query-params"))
    count = int(side.selectbox("Patches a side", SIDES, index=1, key="smallest-side", bind="query-params"))
    sides = ["before the changes", "after the changes"]
    chosen = sides[0]
    if not runs.changes.none:
        chosen = str(start.selectbox("Starting from the picture", sides, key="smallest-start", bind="query-params"))
    asked = runs.clean if chosen == sides[0] else runs.changed
    what = (*runs.key[:3], None if chosen == sides[0] else runs.changes, fill, count)
    if not runs.vlm.info.lab and not st.session_state.get(f"smallest-{what}"):
        st.info(
            f"The search asks {runs.vlm.name} up to {count**4 // 2 + ORDERS * count**2:,} times, in batches of "
            f"{runs.vlm.items_at_once}; it can be stopped at any time and keeps what it has found."
        )
        st.button("Search", key="smallest-go", on_click=_go, args=(f"smallest-{what}",))
        return

    def task(progress: Progress) -> Iterator[Smallest]:
        return search(runs.vlm, *asked, FILLS[fill][0], (count, count), ORDERS, progress=progress)

    def show(found: Smallest, ended: bool) -> None:
        titled(found.sentence(), SMALLEST)
        left, right = st.columns([1, 1], gap="medium")
        with left:
            _picture(asked[0], found, ended)
        with right:
            st.markdown(
                f"Probability of “{found.answer}”: **{found.before:.3f}** before, **{found.probability:.3f}** with "
                f"{len(found.patches)} of {found.count} patches filled."
            )
            if not ended:
                st.caption(f"{found.stage} …")
                return
            if found.flipped:
                alone = chosen == sides[0]
                st.button(
                    "Take these patches as the only change" if alone else "Take these patches as a further change",
                    key="smallest-take",
                    on_click=editor.add_step,
                    args=(Step(FILLS[fill][1], 1.0, region=Region.cells(found.shape, found.patches)), alone),
                )
            download("Numbers, JSON", lambda: _json(found), "smallest.json")

    live(("smallest", *what), "Searching patches", task, show)


def _picture(image: object, found: Smallest, ended: bool) -> None:
    """The picture with the patches that were found outlined; while it is searched, filled."""
    if not ended:
        shown = for_display(found.picture, PIXELS)
        st.image(shown.resize((360, round(360 * shown.height / shown.width)), 0))
        return
    original = as_image(image)  # type: ignore[arg-type]
    rows, columns = found.shape
    width, height = original.size
    x, y = np.linspace(0, width, columns + 1), np.linspace(0, height, rows + 1)
    boxes = [(x[c], y[r], x[c + 1], y[r + 1]) for r in range(rows) for c in range(columns)]
    picture(
        encode_png(for_display(original, PIXELS)),
        np.array(boxes),
        None,
        (),
        size=(width, height),
        key="picture-smallest",
        region=tuple(sorted(found.patches)),
        tools=("hover",),
        height=360,
    )


def _json(found: Smallest) -> bytes:
    return json.dumps(found.to_dict(), indent=1, ensure_ascii=False).encode()


def _go(key: str) -> None:
    st.session_state[key] = True
