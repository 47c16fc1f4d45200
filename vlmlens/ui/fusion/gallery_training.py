"""Gallery: how a wiring came to be: the gates that training opened, the curves of runs on this machine."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from vlmlens import charts
from vlmlens.lab import runs
from vlmlens.lab.diagram import Diagram
from vlmlens.lab.fusion import WIRINGS
from vlmlens.ui.fusion import gallery_words as words
from vlmlens.ui.fusion import known
from vlmlens.ui.look import chart, titled

MOST = 5  # runs in one chart


def gates(wiring: str, found: Diagram, seeds: Sequence[int]) -> None:
    """Gate values by layer, of every seed that is here; nothing for wirings that have none."""
    if not WIRINGS[wiring].gated:
        return
    if not seeds:
        titled("Gates: **n/a**, no trained weights are here; untrained, all are 0.", words.GATES)
        return
    rows = []
    for seed in seeds:
        for each in (found if seed == seeds[0] else known.drawn(wiring, seed)).attentions:
            if each.gates is not None:
                attention, forward = each.gates
                rows.append({"layer": each.layer + 1, "seed": seed, "attention": attention, "feed-forward": forward})
    widest = max(rows, key=lambda row: abs(row["attention"]))
    titled(
        f"Training opened the gates of attention from 0 to as far as **{widest['attention']:+.2f}** "
        f"(layer {widest['layer']}, seed {widest['seed']}; {len(seeds)} of 3 seeds).",
        words.GATES,
    )
    st.dataframe(pd.DataFrame(rows).round(3), width="stretch", hide_index=True)


def curve(wiring: str) -> None:
    """The loss of runs of this wiring that were made here."""
    mine = [(run, run.curve()) for run in runs.every() if run.plan.wiring == wiring]
    mine = [(run, points) for run, points in mine if points.points][:MOST]
    if not mine:
        titled("Training curve: **n/a**, no run of this wiring was recorded here.", words.CURVE)
        st.caption(f"`vlmlens train --wiring {wiring}` records one, and so does the Train view.")
        return
    lines, ends = [], []
    for run, points in mine:
        smooth = points.smooth()
        lines.append(charts.Line(run.name, [step for step, _ in smooth], [loss for _, loss in smooth]))
        ends.append(f"run:{run.name} {smooth[-1][1]:.3f} nats after {smooth[-1][0]} steps")
    titled(f"Training curves recorded here: {'; '.join(ends)}.", words.CURVE)
    chart(charts.training("loss", lines, max(run.plan.steps for run, _ in mine)))
