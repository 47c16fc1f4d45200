"""Wirings: the fusion ablation by every ruler, beside the published one; measured beforehand, or again here."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import streamlit as st

from vlmlens import charts
from vlmlens.information.ablation import PUBLISHED, PUBLISHED_TEXT, Reading, ablate, order_probability, over_seeds
from vlmlens.information.measured import ablation
from vlmlens.lab.weights import SEEDS, LabName
from vlmlens.progress import Progress
from vlmlens.ui import pool
from vlmlens.ui.information import words
from vlmlens.ui.jobs import live
from vlmlens.ui.look import chart, titled
from vlmlens.ui.save import save_all

MODELS = tuple(str(LabName(wiring, seed)) for seed in SEEDS for wiring in PUBLISHED)
RULERS = {
    "representational": "what the states hold (PID of clusters)",
    "interventional": "what the input does, unique parts (exact PID)",
    "behaviour": "what the input does, all of it (changed answers)",
}


def again(kind: str, progress: Progress) -> Iterator[list[Reading]]:
    done: list[Reading] = []
    for reading in ablate(pool.get, MODELS, kind, progress=progress):
        done.append(reading)
        yield list(done)


def draw() -> None:
    measured, command, date = ablation()
    left, rest = st.columns([1, 3], gap="large")
    with left:
        ruler = str(
            st.radio("Ruler", list(RULERS), captions=list(RULERS.values()), key="ablation-ruler", bind="query-params")
        )
        here = st.toggle("Measure again on this machine", key="ablation-live", help="Twelve models; some minutes.")
        kinds = [kind for kind in dict.fromkeys(r.kind for r in measured) if kind != "any"]
        asked = str(st.selectbox("Questions of the probe set", kinds, key="ablation-kind", bind="query-params"))
    with rest:
        if here:
            live(
                ("ablation", asked),
                "Measuring",
                lambda progress: again(asked, progress),
                lambda found, ended: _show(found, ruler, asked, "measured here, now"),
            )
        else:
            _show(measured, ruler, asked, f"measured by `{command}` on {date}")
            st.page_link(
                "app_pages/fusion.py",
                label="Where wirings do differ: half-trained, narrow, with few tokens",
                query_params={"view": "Ablation"},
            )


def _show(readings: Sequence[Reading], ruler: str, kind: str, how: str) -> None:
    chosen = [
        r
        for r in readings
        if r.ruler == ruler and (r.kind == kind or (r.kind == "any" and ruler != "representational"))
    ]
    if not chosen:
        st.info("The first readings by this ruler are on their way.")
        return
    where = list(dict.fromkeys((r.point if ruler == "representational" else f"{r.kind} questions") for r in chosen))
    shares, bits = st.columns([1.1, 1], gap="large")
    with shares:
        named = "Where picture and words are read" if ruler == "representational" else "Which questions"
        place = st.selectbox(named, where, key=f"ablation-place-{ruler}")
        rows = [r for r in chosen if (r.point if ruler == "representational" else f"{r.kind} questions") == place]
        measured = {name: [r.share for r in rows if r.wiring == name] for name in PUBLISHED}
        order = order_probability(measured)
        titled(order.sentence(), words.ABLATION)
        intervals = {name: over_seeds(values)[1:] for name, values in measured.items()}
        drawn = charts.shares(measured, PUBLISHED, ruler, intervals)
        chart(drawn)
        st.caption(f"{how} · accuracies {min(r.accuracy for r in rows):.3f} to {max(r.accuracy for r in rows):.3f}")
        _by_point(chosen, ruler)
    with bits:
        st.markdown("**Side by side, in bits** (means over seeds)")
        names = [name for name in PUBLISHED if any(r.wiring == name for r in rows)]
        atoms = [
            [
                float(np.mean([getattr(r, atom) for r in rows if r.wiring == name]))
                for atom in ("unique_image", "unique_text", "redundant", "synergistic")
            ]
            for name in names
        ]
        figure = charts.side_by_side(names, atoms)
        chart(figure)
        st.markdown("**Published text shares of real models** (GQA), and these")
        text = dict(PUBLISHED_TEXT) | {
            f"lab:{name}": 1 - float(np.nanmean(values))
            for name, values in measured.items()
            if any(v == v for v in values)
        }
        chart(charts.text_shares(text, set(PUBLISHED_TEXT)))
    frame = pd.DataFrame([r.to_dict() for r in rows])
    save_all(
        "ablation",
        {"image shares": drawn, "bits": figure},
        {"ruler": ruler, "place": place, "how": how, "readings": [r.to_dict() for r in rows], "published": PUBLISHED},
        frame,
        f"fusion ablation · {ruler} · {place}",
    )


def _by_point(chosen: Sequence[Reading], ruler: str) -> None:
    """How much of the published order each place explains, in words and as a table."""
    if ruler != "representational":
        st.markdown(
            "What acts on the input does not depend on where one reads. Wirings that answer equally well change their "
            "answers equally: by this ruler the share is a property of the questions, not of the wiring."
        )
        return
    rows, orders = [], {}
    for point in dict.fromkeys(r.point for r in chosen):
        shares = {name: [r.share for r in chosen if r.wiring == name and r.point == point] for name in PUBLISHED}
        orders[point] = order = order_probability(shares)
        row = {"read": point, **{name: _mean(values) for name, values in shares.items()}}
        ranked = "n/a" if order.correlation != order.correlation else f"{order.correlation:+.2f}"
        rows.append(row | {"order shown": order.words, "rank r": ranked})
    st.markdown("**How much of the published order is where one reads**")
    first, last = next(iter(orders)), list(orders)[-1]
    st.markdown(
        f"Read {first}, the published order shows in {orders[first].words} of the seed draws; read {last}, in "
        f"{orders[last].words}. After fusion the positions that were reshaped hold picture and words both, and the "
        "others only their own: the order then tells which stream a wiring reshapes, not what it looks at."
    )
    st.dataframe(pd.DataFrame(rows), width="stretch", hide_index=True)


def _mean(values: Sequence[float]) -> str:
    known = [value for value in values if value == value]
    return f"{np.mean(known):.2f}" if known else "n/a"
