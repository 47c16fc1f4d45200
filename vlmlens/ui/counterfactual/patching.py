"""Where inside does the change arrive? States of one run put into the other, layer by layer, position by position."""

import numpy as np
import streamlit as st

from vlmlens import charts
from vlmlens.attention.patching import Patching, patch
from vlmlens.attribution import Map
from vlmlens.ui import results
from vlmlens.ui.counterfactual.asking import Runs
from vlmlens.ui.counterfactual.words import PATCHING
from vlmlens.ui.jobs import result
from vlmlens.ui.look import chart, titled
from vlmlens.ui.save import save_all

BY = {"segment": "segments", "position": "single positions", "cell": "patches of the picture"}
DIRECTIONS = {"restore": "clean into changed: what suffices", "break": "changed into clean: what is needed"}


def draw(runs: Runs) -> None:
    if runs.changes.none:
        st.info("Change the picture or the words first: patching tells where inside the change makes its difference.")
        return
    left, right = st.columns(2)
    by = str(left.selectbox("States of", list(BY), format_func=BY.__getitem__, key="patch-by", bind="query-params"))
    direction = str(
        right.selectbox(
            "Direction", list(DIRECTIONS), format_func=DIRECTIONS.__getitem__, key="patch-way", bind="query-params"
        )
    )

    def work(progress: object) -> Patching:
        return patch(runs.vlm, runs.clean, runs.changed, by, direction, progress)  # type: ignore[arg-type]

    found = result(("patching", *runs.key, by, direction), "Patching layer after layer", work)
    titled(found.sentence(), PATCHING)
    figure = charts.patching(found)
    if found.shape is not None and found.conclusive:
        _on_picture(runs, found)
    else:
        chart(figure)
    about = f"{charts.caption(runs.before)} · {found.by}, {found.direction}"
    save_all("patching", {"patching": figure}, found.to_dict(), found.to_frame(), about)


def _on_picture(runs: Runs, found: Patching) -> None:
    """Patches of the picture as a map, a slice a layer."""
    values = np.asarray(found.restored, np.float32)[:, None]
    first = int(np.abs(values).max(axis=(1, 2)).argmax())
    title = "restored" if found.direction == "restore" else "broken"
    shown = Map("patching", found.labels, values, f"of the difference {title}", signed=True, first=first)
    middle, _ = st.columns([2, 1])
    with middle:
        results.picture_with_maps(None, runs.before, "picture-patching", shown, (), first, tools=("hover",))
