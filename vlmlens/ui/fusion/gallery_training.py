"""Gallery: how a wiring came to be: its loss and its gates over training."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from vlmlens import charts
from vlmlens.lab import runs
from vlmlens.lab.cards import Card, Cards
from vlmlens.lab.diagram import Diagram
from vlmlens.lab.fusion import WIRINGS
from vlmlens.ui.fusion import gallery_words as words
from vlmlens.ui.fusion import known
from vlmlens.ui.look import chart, titled

MOST = 6  # lines in one chart


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


def curve(wiring: str, cards: Cards) -> None:
    """The loss while the shipped weights were trained, and of runs of this wiring that were made here."""
    lines = [charts.Line(f"seed {card.seed}", *_steps(card, "loss")) for card in cards.cards if len(card.curve) > 1]
    ends = [f"{line.name} {line.values[-1]:.3f} nats after {line.steps[-1]} steps" for line in lines]
    for run in runs.every():
        if run.plan.wiring == wiring and len(lines) < MOST and (smooth := run.curve().smooth()):
            lines.append(charts.Line(f"run:{run.name}", [step for step, _ in smooth], [loss for _, loss in smooth]))
            ends.append(f"run:{run.name} {smooth[-1][1]:.3f} nats after {smooth[-1][0]} steps")
    if not lines:
        titled("Training curve: **n/a**, none was recorded for this wiring.", words.CURVE)
        st.caption(f"`vlmlens train --wiring {wiring}` records one, and so does the Train view.")
        return
    titled(f"Training ended at a loss of: {'; '.join(ends)}.", words.CURVE)
    chart(charts.training("loss", lines, max(line.steps[-1] for line in lines)))


def opening(wiring: str, cards: Cards) -> None:
    """The gates of attention over training, by layer and seed, where they were recorded."""
    layers = [n for n, looks in enumerate(WIRINGS[wiring].layers, start=1) if any(look.gated for look in looks)]
    lines = [
        charts.Line(f"layer {layer}, seed {card.seed}", steps, [abs(value) for value in values])
        for card in cards.cards
        for layer in layers
        for steps, values in [_steps(card, f"attention, layer {layer}")]
        if len(steps) > 1
    ][:MOST]
    if not lines:
        return
    first = lines[0]
    half = next(step for step, value in zip(first.steps, first.values, strict=True) if 2 * value >= first.values[-1])
    titled(
        f"The gate of {first.name} was half as open as at the end after {half} of {first.steps[-1]} steps.",
        words.OPENING,
    )
    chart(charts.training("gates", lines, max(line.steps[-1] for line in lines)))


def _steps(card: Card, name: str) -> tuple[list[int], list[float]]:
    """The recorded steps at which a quantity was kept, and its values."""
    kept = [point for point in card.curve if name in point]
    return [int(point["step"]) for point in kept], [point[name] for point in kept]
