"""Gallery: how many bits picture and words bring to a wiring's answers, and the picture's share, by a named ruler."""

import streamlit as st

from vlmlens import charts
from vlmlens.errors import UserError
from vlmlens.information.ablation import over_seeds
from vlmlens.information.measured import SHIPPED, ablation, conditions
from vlmlens.rulers import RULERS as RULERS_MADE
from vlmlens.rulers.table import shipped
from vlmlens.ui.fusion import gallery_words as words
from vlmlens.ui.look import chart, titled

RULERS = ("interventional", "representational", "behaviour")
SHOWN = {"behaviour": "behavior"}


def bits(wiring: str) -> None:
    """Of the shipped seeds, as a committed script measured them; n/a with the script where it did not."""
    readings, command, date = ablation()
    mine = [r for r in readings if r.wiring == wiring]
    if not mine:
        _once(wiring)
        _by_rulers(wiring)
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        ruler = str(
            st.selectbox(
                "Ruler", RULERS, key="gallery-ruler", bind="query-params", format_func=lambda r: SHOWN.get(r, r)
            )
        )
        kinds = list(dict.fromkeys(r.kind for r in mine if r.ruler == ruler))
        kind = str(st.selectbox("Questions", kinds, key=f"gallery-kind-{ruler}"))
        points = list(dict.fromkeys(r.point for r in mine if r.ruler == ruler))
        point = points[0]
        if len(points) > 1:
            point = str(st.selectbox("Read", points, key="gallery-point", index=len(points) - 1))
    rows = [r for r in mine if (r.ruler, r.kind, r.point) == (ruler, kind, point)]
    mean, low, high = over_seeds([r.share for r in rows])
    told = "n/a: picture and words bring too little of their own to be shared" if mean != mean else f"**{mean:.2f}**"
    doubt = "" if mean != mean else f" [{low:.2f}, {high:.2f}] over {len(rows)} seeds" if low == low else ", one seed"
    titled(f"Image share by the {SHOWN.get(ruler, ruler)} ruler, {kind} questions: {told}{doubt}.", words.BITS)
    chart(_drawn([f"seed {r.seed}" for r in rows], [_atoms(r) for r in rows]))
    st.caption(f"{point} · measured by `{command}` on {date}")
    _by_rulers(wiring)


def _once(wiring: str) -> None:
    """Only seed 0 on crossed scenes, where that was measured."""
    table = conditions()
    row = next((r for r in table.rows if (r.condition, r.wiring) == (SHIPPED, wiring)), None)
    if row is None:
        titled("Bits and image share: **n/a**, not measured yet.", words.BITS)
        st.info(
            f"n/a: `{table.command} --wirings {wiring}` measures seed 0 in about a minute. For other rulers see Rulers."
        )
        return
    kind = str(st.selectbox("Questions", list(row.by_kind), key="gallery-kind-once"))
    own = row.by_kind[kind]
    share = "n/a" if own.image_share != own.image_share else f"**{own.image_share:.2f}**"
    low, high = own.interval
    titled(
        f"Image share by behavior, {kind} questions: {share} [{low:.2f}, {high:.2f}] over scenes, one seed.", words.BITS
    )
    chart(_drawn(["seed 0"], [[own.pid[atom] for atom in own.pid]]))
    st.caption(f"Interventional, exact for 32 scenes · measured by `{table.command}` on {table.date}")


def _by_rulers(wiring: str) -> None:
    """The share by every ruler of the Rulers view, over the seeds that were measured there."""
    try:
        table = shipped()
    except UserError:
        return
    mine = [row for row in table.of("wiring") if row.family == wiring]
    lines = []
    for ruler in RULERS_MADE:
        mean, low, high = over_seeds([share for row in mine if (share := row.share(ruler)) == share])
        if mean == mean:
            lines.append(f"{ruler} **{mean:.2f}**" + (f" [{low:.2f}, {high:.2f}]" if low == low else ""))
    if lines:
        st.markdown(f"*Image share by every ruler, color questions.* {' · '.join(lines)}")
        st.caption(f"{table.ensemble}, {_seeds(len(mine))} · measured by `{table.command}` · see Rulers")


def _seeds(count: int) -> str:
    return "one seed" if count == 1 else f"{count} seeds"


def _drawn(names: list[str], atoms: list[list[float]]) -> charts.Figure:
    return charts.side_by_side(names, atoms)


def _atoms(reading: object) -> list[float]:
    return [float(getattr(reading, atom)) for atom in ("unique_image", "unique_text", "redundant", "synergistic")]
