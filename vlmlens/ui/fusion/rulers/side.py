"""The chart of all rulers: the shipped models, and the one that is measured here among them."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import pandas as pd
import streamlit as st

from vlmlens import charts
from vlmlens.errors import UserError
from vlmlens.information.ablation import over_seeds
from vlmlens.rulers import RULERS, Measured
from vlmlens.rulers.nature import alike
from vlmlens.rulers.table import Row, by_family
from vlmlens.ui.fusion.rulers import kept, words
from vlmlens.ui.look import chart, titled
from vlmlens.ui.save import save_all


def side_by_side(found: Measured | None, ended: bool = True) -> None:
    """The chart of all rulers, with the model that was measured here among the others."""
    try:
        table = kept.table()
    except UserError as error:
        st.info(str(error))
        table = None
    marks, said = _drawn(kept.written()) if table else ([], summary(()))
    marks = [*marks, *(_yours(found) if found else ())]
    titled(said, words.SIDE_BY_SIDE)
    if found:
        st.markdown(beside(found))
    absent = {name: "no model here has a share by it" for name in RULERS}
    if found:
        absent |= {name: reading.why for name, reading in found.readings.items() if reading.why}
    drawn = charts.by_ruler(marks, list(RULERS), absent)
    chart(drawn)
    if ended:
        frame = pd.DataFrame([vars(mark) for mark in marks])
        data = {"marks": [vars(mark) for mark in marks], "yours": found.to_dict() if found else None}
        save_all("rulers", {"image shares": drawn}, data, frame, f"rulers · {table.ensemble if table else 'here'}")


@lru_cache(maxsize=2)
def _drawn(written: int) -> tuple[list[charts.Mark], str]:
    """What does not change while a model is measured: the marks of the shipped ones, and their sentence."""
    rows = kept.table().of("wiring")
    return _marks(rows), summary(rows)


def _marks(rows: Sequence[Row]) -> list[charts.Mark]:
    """One a wiring and ruler: the mean over seeds with its interval, or one seed with that of its items."""
    found = []
    for family, own in by_family(rows).items():
        for ruler in RULERS:
            shares = [row.share(ruler) for row in own if row.share(ruler) == row.share(ruler)]
            if not shares:
                continue
            mean, low, high = over_seeds(shares)
            told = f"95 % over {len(shares)} training seeds"
            if len(shares) == 1:
                reading = next(row.readings[ruler] for row in own if row.share(ruler) == row.share(ruler))
                low, high, told = reading.low, reading.high, "95 % over items, one seed"
            found.append(charts.Mark(ruler, f"lab:{family}", family, mean, low, high, told))
    return found


def _yours(found: Measured) -> list[charts.Mark]:
    return [
        charts.Mark(name, found.model, charts.YOURS, reading.share, reading.low, reading.high, "95 % over items")
        for name, reading in found.readings.items()
    ]


def summary(rows: Sequence[Row]) -> str:
    """How far the rulers agree about the same models, with the numbers."""
    if not rows:
        return "**No model has been measured yet.**"
    used = alike(rows)
    ends = {
        kind: _range(_ends([float(np.mean([row.effect[kind] for row in own])) for own in by_family(used).values()]))
        for kind in ("donor", "knockout")
    }
    means = {
        ruler: [float(np.mean(known)) for own in by_family(used).values() if (known := _known(own, ruler))]
        for ruler in RULERS
    }
    spread = {ruler: _ends(values) for ruler, values in means.items() if len(values) > 1}
    count = len(by_family(used))
    named = f"{count} wirings alike" if count > 1 else "one wiring"
    said = (
        f"Another picture changes the answers of {named}, by {ends['donor']} bit; no picture at all, by "
        f"{ends['knockout']} bit."
    )
    if not spread:
        return said
    widest = max(spread, key=lambda name: spread[name][1] - spread[name][0])
    closest = min(spread, key=lambda name: spread[name][1] - spread[name][0])
    return (
        f"{said} Their image share is {_range(spread[closest])} by **{closest}** and {_range(spread[widest])} by "
        f"**{widest}**: the ruler decides more than the wiring."
        if spread[widest][1] - spread[widest][0] > 2 * (spread[closest][1] - spread[closest][0])
        else f"{said} No ruler tells them apart by much more than another."
    )


def beside(found: Measured) -> str:
    """Where the model that was measured here stands, and over what."""
    told = {name: reading for name, reading in found.readings.items() if reading.told}
    if not told:
        return f"**{found.model}**: the picture is knocked out, {found.effect.knockout:.2f} bit so far."
    low, high = (pick(told, key=lambda name: told[name].share) for pick in (min, max))
    return (
        f"**{found.model}** over {found.ensemble}: knocked out, the picture changes the answers by "
        f"{found.effect.knockout:.2f} bit ({found.effect.knockout_low:.2f} to {found.effect.knockout_high:.2f}). Its "
        f"share is {told[low].share:.2f} by {low} and {told[high].share:.2f} by {high}."
    )


def _known(rows: Sequence[Row], ruler: str) -> list[float]:
    return [row.share(ruler) for row in rows if row.share(ruler) == row.share(ruler)]


def _ends(values: Sequence[float]) -> tuple[float, float]:
    return min(values), max(values)


def _range(ends: tuple[float, float]) -> str:
    low, high = (f"{end:.2f}" for end in ends)
    return low if low == high else f"{low} to {high}"
