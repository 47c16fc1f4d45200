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
    note: str = "n/a"  # in place of a value


def of_estimate(found: Estimate) -> list[Bar]:
    return [
        Bar(
            t.value if t.status == "shown" else float("nan"),
            t.low,
            t.high,
            max(0.0, t.null_high),
            "bracket" if t.status == "bracket" else "n/a: too few samples",
        )
        for t in found.terms
    ]


def of_pid(pid: PID) -> list[Bar]:
    return [Bar(float(x)) for x in (pid.unique_1, pid.unique_2, pid.redundant, pid.synergistic)]


def bars(rows: Sequence[Bar], end: float) -> None:
    """Draw the four atoms on an axis from 0 to `end` bits."""

    def at(bits: float) -> float:
        return 100 * min(1.0, max(0.0, bits) / end)

    def block(left: float, width: float, top: int, height: int, color: str, opacity: float = 1.0) -> str:
        place = f"position:absolute;left:{left:.2f}%;width:{width:.2f}%;top:{top}px;height:{height}px"
        return f'<div style="{place};background:{color};opacity:{opacity}"></div>'

    lines = []
    for atom, row in zip(ATOMS, rows, strict=True):
        known = row.value == row.value
        parts = [block(0, at(row.null), 1, ROW - 2, NULL, 0.3)]
        if known:
            parts.append(block(0, at(row.value), 6, ROW - 12, ATOM_COLORS[atom]))
        if row.low == row.low:
            parts.append(block(at(row.low), at(row.high) - at(row.low), ROW // 2 - 1, 2, LINE))
        right = at(max(x for x in (row.value, row.high, row.null) if x == x))
        said = f"{row.value:.3f}" if known else row.note
        parts.append(f'<div style="position:absolute;left:calc({right:.2f}% + 6px);line-height:{ROW}px">{said}</div>')
        name = f'<div style="width:{LABELS}px;padding-right:6px;text-align:right;line-height:{ROW}px">{atom}</div>'
        track = f'<div style="position:relative;flex:1;margin-right:48px;height:{ROW}px">{"".join(parts)}</div>'
        lines.append(f'<div style="display:flex">{name}{track}</div>')
    told = ", ".join(
        f"{atom} {row.value:.3f}" if row.value == row.value else f"{atom} n/a"
        for atom, row in zip(ATOMS, rows, strict=True)
    )
    st.html(
        f'<div role="img" aria-label="Bits so far: {told}" style="font-size:11px;height:{len(ATOMS) * ROW + 40}px">'
        f"{''.join(lines)}</div>"
    )
