"""Which rulers measure wiring and which use; which find the truth where it is known."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from vlmlens.rulers import RULERS
from vlmlens.rulers.nature import Nature, alike
from vlmlens.rulers.table import Row, Table, by_family
from vlmlens.rulers.truth import TRUTHS
from vlmlens.ui.fusion.rulers import words
from vlmlens.ui.look import titled

MARKS = {"PASS": "✓", "FAIL": "✕", "INCONCLUSIVE": "~", "n/a": ""}


def which(table: Table, natures: Sequence[Nature]) -> None:
    """In words and as a table: which rulers measure wiring, and which use."""
    st.markdown("#### Which measure wiring, and which use?")
    titled(verdict(natures), words.NATURE)
    frame = pd.DataFrame(
        [
            {
                "ruler": found.ruler,
                "made for": RULERS[found.ruler].nature,
                "shows": found.measures,
                "wirings apart": number(found.spread),
                "by chance": "n/a" if found.chance != found.chance else f"{found.chance:.3f}",
                **{f"{dial}, goes along": number(c, "+.2f") for dial, c in found.concordances.items()},
                **{f"{dial}, range": number(found.falls[dial]) for dial in found.concordances},
            }
            for found in natures
        ]
    )
    st.dataframe(frame, width="stretch", hide_index=True, height=_height(natures))
    used = alike(table.rows)
    seeds = {family: len(own) for family, own in by_family(used).items()}
    st.caption(
        "Wirings compared: "
        + ", ".join(f"{family} ({count} seed{'s' if count > 1 else ''})" for family, count in seeds.items())
        + ". Dials: a note before the question that a planted model believes more and more (hint), and filler words "
        "with which another one's sight of the picture fades (padding)."
    )


def verdict(natures: Sequence[Nature]) -> str:
    """The finding in one or two sentences."""
    named: dict[str, list[str]] = {}
    for found in natures:
        named.setdefault(found.measures, []).append(found.ruler)
    parts = [
        f"{said}: **{', '.join(named[kind])}**"
        for kind, said in (
            ("wiring", "Wiring, without following use"),
            ("use", "Use, with no difference between wirings shown"),
            ("both", "Both"),
            ("neither", "Neither is shown"),
            ("cannot say", "Not to be told from these models"),
        )
        if kind in named
    ]
    return ". ".join(parts) + "."


def truth(table: Table) -> None:
    """Every ruler on every planted model whose right share is known."""
    rows = [row for row in table.of("planted") if row.verdicts is not None]
    st.markdown("#### Which find the truth where it is known?")
    if not rows:
        st.info("Planted models have not been measured yet.")
        return
    titled(failing(rows), words.TRUTH)
    names = [row.model.removeprefix("planted:") for row in rows]
    lines = [{"ruler": "the right share", **{n: number(r.expected) for n, r in zip(names, rows, strict=True)}}]
    for ruler in RULERS:
        cells = {}
        for name, row in zip(names, rows, strict=True):
            said = (row.verdicts or {}).get(ruler, "n/a")
            cells[name] = "n/a" if said == "n/a" else f"{MARKS[said]} {said} {row.share(ruler):.2f}"
        lines.append({"ruler": ruler, **cells})
    st.dataframe(pd.DataFrame(lines), width="stretch", hide_index=True, height=_height(lines))
    with st.expander("Why these shares are right, and why some rulers have none"):
        for row in rows:
            planted = TRUTHS[row.model]
            st.markdown(f"**{row.model}**, {number(row.expected)} within {planted.tolerance:g}: {planted.why}")
            whys: dict[str, list[str]] = {}
            for ruler, reading in row.readings.items():
                if reading.why:
                    whys.setdefault(reading.why, []).append(ruler)
            for why, those in whys.items():
                st.caption(f"n/a by {', '.join(those)}: {why}.")


def failing(rows: Sequence[Row]) -> str:
    """Which rulers fail on planted models, in a sentence with counts."""
    said = {ruler: [(row.verdicts or {}).get(ruler, "n/a") for row in rows] for ruler in RULERS}
    right = [ruler for ruler, found in said.items() if all(each == "PASS" for each in found)]
    wrong = {ruler: found.count("FAIL") for ruler, found in said.items() if "FAIL" in found}
    worst = ", ".join(f"{ruler} on {count}" for ruler, count in sorted(wrong.items(), key=lambda item: -item[1]))
    first = f"**{', '.join(right)}** finds all {len(rows)}" if right else f"No ruler finds all {len(rows)}"
    return f"Of {len(RULERS)} rulers, {first} planted shares. " + (f"Failing: {worst}." if worst else "None fails.")


def _height(lines: Sequence[object]) -> int:
    """Pixels of a table that shows all its lines, so that none hides below a scroll bar."""
    return 35 * (len(lines) + 1) + 3


def number(value: float, form: str = ".2f") -> str:
    return "n/a" if value != value else format(value, form)
