"""Does the contrastive map better the answer? Both published forms, on this question and over a probe set."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import streamlit as st

from vlmlens.attention import Contrast, Sweep
from vlmlens.attention.refine import FACTOR, FORMS, RHO, SHARE, Form
from vlmlens.attention.refine_many import Probe, RefineStudy, measured, refining
from vlmlens.lab.sample import take
from vlmlens.models import VLM
from vlmlens.progress import Progress
from vlmlens.ui import results, words
from vlmlens.ui.jobs import live, result
from vlmlens.ui.look import guard, titled

if TYPE_CHECKING:
    from vlmlens.ui.inspect import Shown

SIZES = {"nothing more": 0, "64 held-out lab questions": 64, "256 held-out lab questions": 256}


def draw(shown: "Shown", found: Contrast, sweep: Sweep) -> None:
    vlm = results.model(shown.trace.model)
    titled("**Does this map better the answer?**", words.REFINE)
    many = 0
    if vlm.info.lab:
        many = SIZES[str(st.selectbox("Measure over", list(SIZES), key="refine-items", bind="query-params"))]
    for (name, form), column in zip(FORMS.items(), st.columns(len(FORMS), gap="large"), strict=True):
        with column, guard():
            st.markdown(f"**{form.name.capitalize()}**", help=form.sentence)
            settings = _settings(name)
            _once(shown, vlm, found, name, form, settings)
            if many:
                _over(vlm, found, sweep, name, settings, many)
    _published()


def _settings(name: str) -> dict[str, float]:
    if name == "suppress":
        rho = st.slider("Share of the patches", 0.1, 1.0, RHO, 0.1, key="refine-rho", bind="query-params")
        factor = st.slider("Their states times", 0.0, 1.0, FACTOR, 0.1, key="refine-factor", bind="query-params")
        return {"rho": float(rho), "factor": float(factor)}
    share = st.slider(
        "Share of the contrast in the crop", 0.1, 1.0, SHARE, 0.1, key="refine-share", bind="query-params"
    )
    return {"share": float(share)}


def _once(shown: "Shown", vlm: VLM, found: Contrast, name: str, form: Form, settings: dict[str, float]) -> None:
    content = shown.request.source.load()
    key = ("refine", name, vlm.name, shown.request.source, shown.request.question, found.early, found.late)
    refined = result(
        (*key, *settings.values()),
        form.name,
        lambda _progress: form.refine(vlm, content, shown.request.question, shown.trace, found, **settings),
    )
    st.markdown(refined.sentence())
    st.dataframe(refined.to_frame().head(4), hide_index=True, column_config=_TWO)


def _over(vlm: VLM, found: Contrast, sweep: Sweep, name: str, settings: dict[str, float], many: int) -> None:
    items: list[Probe] = [(i.scene, i.question.text, i.answer) for i in take("test", 13, many)]

    def task(progress: Progress) -> Iterator[RefineStudy]:
        places = {"early": found.early, "late": found.late, "fusion": sweep.fusion_layers, "review": sweep.review_layer}
        return refining(vlm, items, name, progress=progress, **places, **settings)  # type: ignore[arg-type]

    def show(study: RefineStudy, _ended: bool) -> None:
        st.markdown(study.sentence())

    key = ("refining", vlm.name, name, many, found.early, found.late, *settings.values())
    live(key, "Refining", task, show)


def _published() -> None:
    """The committed measurement on hard scenes."""
    table = measured()
    st.markdown(f"**Measured on {table['model']}**, {table['rows'][0]['items']} held-out questions a row.")
    st.caption(f"{table['scenes']} `{table['command']}`, {table['date']}.")
    st.dataframe(
        [
            {
                "scenes": row["scenes"],
                "form": FORMS[row["form"]].name,
                "settings": ", ".join(f"{name} {value:g}" for name, value in row["settings"].items() if name != "late"),
                "before": row["accuracy_before"],
                "after": row["accuracy_after"],
                "change, points": _points(row["change"]),
                "the same at random": _points(row["control_change"]),
                "map over random": _points(row["over_control"]),
            }
            for row in table["rows"]
        ],
        hide_index=True,
        column_config=_TWO,
    )
    st.caption("In brackets 95 % intervals, paired over questions. benchmarks/results/refine.md says why.")


def _points(change: dict[str, Any]) -> str:
    low, high = change["interval"]
    return f"{100 * change['mean']:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"


_TWO = {name: st.column_config.NumberColumn(format="%.3f") for name in ("before", "after")}
