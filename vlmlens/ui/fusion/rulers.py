"""Rulers: the picture's share of the same answers by every ruler, and which of them tell what a model uses."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import pandas as pd
import streamlit as st

from vlmlens import charts
from vlmlens.errors import UserError
from vlmlens.information.ablation import over_seeds
from vlmlens.rulers import RULERS, Measured
from vlmlens.rulers.effect import WORDS as EFFECTS
from vlmlens.rulers.nature import Agreement, Nature, agreement, alike, nature, rank_correlation
from vlmlens.rulers.table import HOME, Row, Table, by_family, shipped
from vlmlens.rulers.truth import TRUTHS
from vlmlens.ui.fusion import rulers_live
from vlmlens.ui.fusion import rulers_words as words
from vlmlens.ui.look import chart, titled
from vlmlens.ui.save import save_all

LEAST_ITEMS = 8  # for a rank correlation inside one model
MARKS = {"PASS": "✓", "FAIL": "✕", "INCONCLUSIVE": "~", "n/a": ""}


def draw() -> None:
    left, rest = st.columns([1, 3], gap="large")
    with left:
        here = rulers_live.choose()
    with rest:
        measured = None
        if here:
            measured = rulers_live.measure(here, _side_by_side)
        else:
            _side_by_side(None)
        with st.expander("What is each ruler? Definition, formula, paper, what it cannot tell"):
            for name, ruler in RULERS.items():
                st.markdown(f"**{name}**, made for {ruler.nature}. {ruler.help}")
    try:
        table = _table()
    except UserError:
        return
    natures = _natures(_written())
    _which(table, natures)
    _truth(table)
    _against(table, measured)
    st.caption(f"Measured by `{table.command}` on {table.date}, over {table.ensemble}, {table.items} items.")


def _side_by_side(found: Measured | None, ended: bool = True) -> None:
    """The chart of all rulers, with the model that was measured here among the others."""
    try:
        table = _table()
    except UserError as error:
        st.info(str(error))
        table = None
    marks, said = _drawn(_written()) if table else ([], summary(()))
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


def _written() -> int:
    """Names the state of the table: what is kept for it is kept until it is written anew."""
    path = HOME / "measured.json"
    return path.stat().st_mtime_ns if path.exists() else 0


def _table() -> Table:
    """Raises UserError where nothing was measured."""
    return _read(_written())


@lru_cache(maxsize=2)
def _read(written: int) -> Table:
    return shipped()


@lru_cache(maxsize=2)
def _drawn(written: int) -> tuple[list[charts.Mark], str]:
    """What does not change while a model is measured: the marks of the shipped ones, and their sentence."""
    rows = _read(written).of("wiring")
    return _marks(rows), summary(rows)


@lru_cache(maxsize=2)
def _natures(written: int) -> list[Nature]:
    table = _read(written)
    return [nature(name, table.rows) for name in RULERS]


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
    effects = [np.mean([row.effect["knockout"] for row in own]) for own in by_family(used).values()]
    means = {
        ruler: [np.mean(known) for own in by_family(used).values() if (known := _known(own, ruler))] for ruler in RULERS
    }
    spread = {ruler: (min(values), max(values)) for ruler, values in means.items() if len(values) > 1}
    named = (
        f"{len(effects)} wirings changes their answers alike" if len(effects) > 1 else "one wiring changes its answers"
    )
    said = f"Knocking the picture out of {named}, by {_range((min(effects), max(effects)))} bit."
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


def item_by_item(found: Measured, ruler: str) -> str:
    """Whether, inside one model, the items with the larger share are those that a knock-out changes more."""
    share, effect = found.readings[ruler].by_item, found.effect.by_item
    told = np.isfinite(share) if len(share) else np.zeros(len(effect), bool)
    if told.sum() < LEAST_ITEMS:
        return f"Item by item in {found.model}: n/a, {ruler} has no shares of single items here."
    r = rank_correlation(effect[told], share[told])
    error = 1.96 / np.sqrt(told.sum() - 3)  # Fisher's transformation
    low, high = (np.tanh(np.arctanh(np.clip(r, -0.999999, 0.999999)) + side * error) for side in (-1, 1))
    return f"Item by item in {found.model}, r = **{r:+.2f}** ({low:+.2f} to {high:+.2f}) over {told.sum()} items."


def _known(rows: Sequence[Row], ruler: str) -> list[float]:
    return [row.share(ruler) for row in rows if row.share(ruler) == row.share(ruler)]


def _range(ends: tuple[float, float]) -> str:
    low, high = (f"{end:.2f}" for end in ends)
    return low if low == high else f"{low} to {high}"


def _which(table: Table, natures: Sequence[Nature]) -> None:
    """In words and as a table: which rulers measure wiring, and which use."""
    st.markdown("#### Which measure wiring, and which use?")
    titled(verdict(natures), words.NATURE)
    frame = pd.DataFrame(
        [
            {
                "ruler": found.ruler,
                "made for": RULERS[found.ruler].nature,
                "shows": found.measures,
                "wirings apart": _number(found.spread),
                "by chance": "n/a" if found.chance != found.chance else f"{found.chance:.3f}",
                **{f"{dial}, goes along": _number(c, "+.2f") for dial, c in found.concordances.items()},
                **{f"{dial}, range": _number(found.falls[dial]) for dial in found.concordances},
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


def _height(lines: Sequence[object]) -> int:
    """Pixels of a table that shows all its lines, so that none hides below a scroll bar."""
    return 36 * (len(lines) + 1) + 3


def verdict(natures: Sequence[Nature]) -> str:
    """The finding in one or two sentences."""
    named: dict[str, list[str]] = {}
    for found in natures:
        named.setdefault(found.measures, []).append(found.ruler)
    parts = [
        f"{said}: **{', '.join(named[kind])}**"
        for kind, said in (
            ("wiring", "Wiring, not use"),
            ("use", "Use, not wiring"),
            ("both", "Both at once"),
            ("neither", "Neither clearly"),
            ("cannot say", "Not to be told from these models"),
        )
        if kind in named
    ]
    return ". ".join(parts) + "."


def _number(value: float, form: str = ".2f") -> str:
    return "n/a" if value != value else format(value, form)


def _truth(table: Table) -> None:
    """Every ruler on every planted model whose right share is known."""
    rows = [row for row in table.of("planted") if row.verdicts is not None]
    st.markdown("#### Which find the truth where it is known?")
    if not rows:
        st.info("Planted models have not been measured yet.")
        return
    titled(failing(rows), words.TRUTH)
    names = [row.model.removeprefix("planted:") for row in rows]
    lines = [{"ruler": "the right share", **{n: _number(r.expected) for n, r in zip(names, rows, strict=True)}}]
    for ruler in RULERS:
        cells = {}
        for name, row in zip(names, rows, strict=True):
            said = (row.verdicts or {}).get(ruler, "n/a")
            cells[name] = "n/a" if said == "n/a" else f"{MARKS[said]} {said} {row.share(ruler):.2f}"
        lines.append({"ruler": ruler, **cells})
    st.dataframe(pd.DataFrame(lines), width="stretch", hide_index=True, height=_height(lines))
    with st.expander("Why these shares are right, and why some rulers have none"):
        for row in rows:
            truth = TRUTHS[row.model]
            st.markdown(f"**{row.model}**, {_number(row.expected)} within {truth.tolerance:g}: {truth.why}")
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


def _against(table: Table, yours: Measured | None) -> None:
    """One ruler against what really happens, model by model."""
    st.markdown("#### Does it go along with what knocking the picture out really does?")
    pick, which = st.columns(2)
    ruler = str(
        pick.selectbox(
            "Ruler", list(RULERS), index=list(RULERS).index("donor behavior"), key="rulers-one", bind="query-params"
        )
    )
    effect = str(which.selectbox("What really happens", list(EFFECTS), format_func=EFFECTS.get, key="rulers-effect"))
    every, trained = (agreement(ruler, table.of(*groups), effect) for groups in _GROUPS)
    titled(
        f"**{ruler}** ranks models as what really happens does with r = {_ranked(every)} over {every.models} of them, "
        f"and with r = {_ranked(trained)} over the {trained.models} trained wirings alone.",
        words.AGAINST,
    )
    dots = [charts.Dot(row.key, row.family, row.effect[effect], row.share(ruler)) for row in table.rows]
    if yours is not None and ruler in yours.readings:
        share = yours.readings[ruler].share
        st.markdown(item_by_item(yours, ruler))
        dots.append(charts.Dot(yours.model, charts.YOURS, float(getattr(yours.effect, effect)), share))
    drawn = charts.ruler_against_effect(dots, ruler, EFFECTS[effect])
    chart(drawn)
    gone = [dot.name for dot in dots if dot.share != dot.share]
    if gone:
        st.caption(f"n/a by {ruler}, and so not drawn: {', '.join(gone)}.")
    frame = pd.DataFrame([vars(dot) for dot in dots])
    data = {"ruler": ruler, "effect": EFFECTS[effect], "models": [vars(dot) for dot in dots]}
    save_all("ruler-against-effect", {"scatter": drawn}, data, frame, f"{ruler} · {EFFECTS[effect]}")


_GROUPS: tuple[tuple[str, ...], ...] = (("wiring", "planted", "graded"), ("wiring",))


def _ranked(found: Agreement) -> str:
    if found.correlation != found.correlation:
        return "n/a"
    return f"{found.correlation:+.2f} ({found.low:+.2f} to {found.high:+.2f} over seeds)"
