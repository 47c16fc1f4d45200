"""The atoms while they still move: the bars of the charts, as a drawing that a browser redraws five times a second.

A Vega chart takes a tenth of a second to lay out; this takes a millisecond. Once the work has ended the chart is drawn.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from vlmlens.charts import ATOM_COLORS, ATOMS
from vlmlens.information import PID, Estimate

ROW = 26  # pixels
LABELS = 92  # pixels that the names take
NULL, LINE = "#999999", "#808080"


@dataclass(frozen=True)
class Bar:
    value: float  # bits; NaN where it is refused
    low: float = float("nan")
    high: float = float("nan")
    null: float = 0.0


def of_estimate(found: Estimate) -> list[Bar]:
    return [
        Bar(t.value if t.status == "shown" else float("nan"), t.low, t.high, max(0.0, t.null_high)) for t in found.terms
    ]


def of_pid(pid: PID) -> list[Bar]:
    return [Bar(float(x)) for x in (pid.unique_1, pid.unique_2, pid.redundant, pid.synergistic)]


def bars(rows: Sequence[Bar], end: float) -> None:
    """Draw the four atoms on an axis from 0 to `end` bits."""

    def at(bits: float) -> str:
        return f"{100 * min(1.0, max(0.0, bits) / end):.2f}%"

    parts = []
    for index, (atom, row) in enumerate(zip(ATOMS, rows, strict=True)):
        top = index * ROW
        parts.append(
            f'<rect x="0" y="{top + 1}" width="{at(row.null)}" height="{ROW - 2}" fill="{NULL}" opacity=".3"/>'
        )
        known = row.value == row.value
        if known:
            fill = ATOM_COLORS[atom]
            parts.append(f'<rect x="0" y="{top + 6}" width="{at(row.value)}" height="{ROW - 12}" fill="{fill}"/>')
        if row.low == row.low:
            y = top + ROW // 2
            line = f'x1="{at(row.low)}" x2="{at(row.high)}" y1="{y}" y2="{y}" stroke="{LINE}" stroke-width="2"'
            parts.append(f"<line {line}/>")
        said = f"{row.value:.3f}" if known else "n/a"
        right = max(x for x in (row.value, row.high, row.null) if x == x)
        parts.append(f'<text x="{at(right)}" dx="6" y="{top + 17}" font-size="11" fill="currentColor">{said}</text>')
    names = "".join(
        f'<text x="{LABELS - 6}" y="{index * ROW + 17}" font-size="11" text-anchor="end" fill="currentColor" '
        f'opacity=".7">{atom}</text>'
        for index, atom in enumerate(ATOMS)
    )
    height = len(ATOMS) * ROW
    told = ", ".join(
        f"{atom} {row.value:.3f}" if row.value == row.value else f"{atom} n/a"
        for atom, row in zip(ATOMS, rows, strict=True)
    )
    st.html(
        f'<div role="img" aria-label="Bits so far: {told}" style="display:flex;height:{height + 40}px">'
        f'<svg width="{LABELS}" height="{height}">{names}</svg>'
        f'<svg width="100%" height="{height}" style="overflow:visible;margin-right:48px">{"".join(parts)}</svg></div>'
    )
