"""Ablation: where wirings differ and where they do not, under which condition."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from vlmlens import charts
from vlmlens.information.ablation import over_seeds as students
from vlmlens.information.measured import ANY, SHIPPED, Conditions, Difference, What, ablation, conditions, differ
from vlmlens.lab.cards import cards, over_seeds
from vlmlens.lab.fusion import WIRINGS
from vlmlens.ui.fusion import gallery_words as words
from vlmlens.ui.fusion import published_ablation
from vlmlens.ui.look import chart, guard, titled
from vlmlens.ui.save import save_all

MEASURES: dict[str, What] = {
    "accuracy": "accuracy",
    "accuracy, blind": "blind",
    "image share (behavior)": "image share",
    "picture's effect, bits": "picture's effect",
}
QUESTIONS = 2000  # of the held-out sample


def draw() -> None:
    table = conditions()
    left, right = st.columns([1, 1.6], vertical_alignment="bottom")
    measure = str(left.selectbox("What", list(MEASURES), key="ablation-what", bind="query-params"))
    what = MEASURES[measure]
    kinds = [ANY] if what == "blind" else [*([ANY] if what == "accuracy" else []), *table.kinds]
    with right:
        kind = str(
            st.segmented_control(
                "Questions",
                kinds,
                default=kinds[0] if ANY in kinds else "size",
                key=f"ablation-kinds-{what}",
                required=True,
            )
        )
    everything = {name: values_of(table, name, what, kind) for name in table.names}
    found = {name: differ(values) for name, values in everything.items()}
    titled(_where(found, measure, kind), words.DIFFER)
    chosen = str(
        st.segmented_control(
            "Condition",
            table.names,
            default=_widest(found),
            key="ablation-condition",
            bind="query-params",
            required=True,
        )
    )
    one, overall = st.columns(2, gap="large")
    with one:
        st.markdown(f"**{chosen}**: {_setting(table, chosen)}. {found[chosen].sentence(_plural(measure, kind))}")
        intervals = {
            name: interval[1:] for name, known in everything[chosen].items() if (interval := _over(known, what, kind))
        }
        figure = charts.by_wiring(everything[chosen], measure, intervals, _most(what, everything))
        chart(figure)
        _absent(table, chosen)
    with overall:
        st.markdown("**All conditions at once**: a mark a trained model.")
        marks = {name: {w: known for w, known in values.items() if known} for name, values in everything.items()}
        every = charts.conditions(marks, measure, _most(what, everything))
        chart(every)
    frame = _frame(everything, what, kind, found)
    st.dataframe(frame, width="stretch", hide_index=True)
    st.caption(
        "Means over seeds [95 % interval]: of accuracies on any kind Student's t and at least Wilson, of the rest "
        f"Student's t, and none for one seed. Measured by `{table.command}` on {table.date}; {SHIPPED}: cards and "
        "`benchmarks/ablation.py`."
    )
    save_all(
        "ablation",
        {"wirings": figure, "conditions": every},
        {"what": measure, "questions": kind, "values": everything, "differ": {n: d.word for n, d in found.items()}},
        frame,
        f"fusion ablation · {measure} · {kind}",
    )
    st.divider()
    with guard():
        published_ablation.draw()


def values_of(table: Conditions, condition: str, what: What, kind: str) -> dict[str, list[float]]:
    """wiring -> one number a seed. As shipped, cards and the ablation know more seeds than the table of conditions."""
    found: dict[str, list[float]] = {name: [] for name in WIRINGS}
    found |= table.values(condition, what, kind)
    if condition != SHIPPED:
        return found
    for name in WIRINGS:
        known: list[float] = []
        if kind == ANY:
            known = [card.accuracy if what == "accuracy" else card.blind for card in cards(name).cards]
        elif what == "accuracy":
            known = [card.by_question[kind] for card in cards(name).cards if kind in card.by_question]
        elif what == "image share":
            rows = [r for r in ablation()[0] if (r.wiring, r.ruler, r.kind) == (name, "behaviour", kind)]
            known = [r.share for r in rows if r.share == r.share]
        if len(known) > len(found[name]):
            found[name] = known
    return found


def _where(found: dict[str, Difference], measure: str, kind: str) -> str:
    """In which conditions wirings differ, in which they are alike, and where that cannot be said."""
    by: dict[str, list[str]] = {"differ": [], "alike": [], "cannot say": []}
    for name, each in found.items():
        by[each.word].append(name)
    on = "" if kind == ANY else f" on {kind} questions"
    parts = []
    if by["differ"]:
        apart = [
            f"“{name}” by {found[name].largest:.3f} [{found[name].low:.3f}, {found[name].high:.3f}]"
            for name in by["differ"]
        ]
        parts.append(f"**differ** under {', '.join(apart)}")
    if by["alike"]:
        parts.append(f"are **alike** within .05 under {_listed(by['alike'])}")
    if by["cannot say"]:
        parts.append(f"**cannot be told apart** or alike under {_listed(by['cannot say'])}")
    return f"In {measure}{on} the wirings {'; '.join(parts)}."


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"“{name}”" for name in names)


def _widest(found: dict[str, Difference]) -> str:
    known = {name: each.low for name, each in found.items() if not each.why}
    return max(known, key=lambda name: known[name]) if known else next(iter(found))


def _setting(table: Conditions, condition: str) -> str:
    """A condition in words."""
    if condition == SHIPPED:
        return "trained by the shipped recipe, all of them accurate but the late ones"
    row = table.settings[condition]
    return (
        f"{row['steps']} steps for all, {row['side'] ** 2} image tokens, fusion {row['width']} wide, language prior "
        f"{row['prior']:g} in training"
    )


def _plural(measure: str, kind: str) -> str:
    name = {"accuracy": "accuracies", "accuracy, blind": "blind accuracies"}.get(measure, f"values of {measure}")
    return name if kind == ANY else f"{name} on {kind} questions"


def _most(what: What, everything: dict[str, dict[str, list[float]]]) -> float:
    """Where the axis ends: the same for all conditions, so that they compare."""
    if what != "picture's effect":
        return 1.0
    most = max((value for by in everything.values() for values in by.values() for value in values), default=1.0)
    return float(np.ceil(10 * most) / 10)


def _absent(table: Conditions, condition: str) -> None:
    lacking = [name for name in WIRINGS if not table.values(condition, "accuracy").get(name)]
    if condition != SHIPPED and lacking:
        st.caption(
            f"n/a: {', '.join(lacking)} are not measured under this condition yet; `{table.command} --wirings "
            f"{' '.join(lacking)}` does it."
        )


def _frame(
    everything: dict[str, dict[str, list[float]]], what: What, kind: str, found: dict[str, Difference]
) -> pd.DataFrame:
    """A row a condition, a column a wiring."""
    rows = []
    for condition, values in everything.items():
        row = {"condition": condition, "wirings": found[condition].word}
        rows.append(row | {name: _mean(known, what, kind) for name, known in values.items()})
    return pd.DataFrame(rows)


def _mean(values: Sequence[float], what: What, kind: str) -> str:
    found = _over(values, what, kind)
    if found is None:
        return "n/a"
    mean, low, high = found
    return f"{mean:.3f}, one seed" if low != low else f"{mean:.3f} [{low:.3f}, {high:.3f}]"


def _over(values: Sequence[float], what: What, kind: str) -> tuple[float, float, float] | None:
    """Mean over seeds and its interval, NaN where one seed cannot tell; None without a seed."""
    if not values:
        return None
    if what in ("accuracy", "blind") and kind == ANY:
        found = over_seeds(values, QUESTIONS)
        return found.value, found.low, found.high
    return students(values)
