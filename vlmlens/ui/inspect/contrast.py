"""Where does a late layer look that an early one did not, and does the answer get better for it?"""

from dataclasses import replace
from typing import TYPE_CHECKING

import streamlit as st

from vlmlens import charts
from vlmlens.attention import Contrast, contrast
from vlmlens.attribution.case import single
from vlmlens.attribution.faithfulness import Trust
from vlmlens.ui import results, words
from vlmlens.ui.inspect import refining
from vlmlens.ui.inspect.choice import swept
from vlmlens.ui.look import chart, guard, titled
from vlmlens.ui.save import save_all

if TYPE_CHECKING:
    from vlmlens.ui.inspect import Shown

BY_DATA = "by the sweep"


def draw(shown: "Shown", _trust: Trust | None) -> None:
    trace = shown.trace
    sweep = swept(shown.request, trace)
    found = contrast(trace, fusion=sweep.fusion_layers, review=sweep.review_layer)
    early, late, told = st.columns([1, 1, 2], vertical_alignment="bottom")
    first = _pick(early, "Early layer", found, found.early, "contrast-early")
    last = _pick(late, "Late layer", found, found.late, "contrast-late")
    if (first, last) != (found.early, found.late):
        found = contrast(trace, first, last, sweep.fusion_layers, sweep.review_layer)
    with told:
        titled(_sentence(found, sweep.sentence()), words.CONTRAST)
    left, right = st.columns(2, gap="medium")
    with left:
        unit = "of the attention on the picture"
        signed = replace(single("contrastive", found.values, unit), labels=(_name(found),))
        results.picture_with_maps(shown.request, trace, "picture-contrast", signed, tools=("hover",))
    with right:
        st.markdown("**How differently two layers look**")
        chart(charts.distances(found))
        save_all(
            "contrast",
            {"distances": charts.distances(found)},
            found.to_dict(),
            found.to_frame(),
            charts.caption(trace) + f" · {_name(found)}",
        )
    with guard():
        refining.draw(shown, found, sweep)


def _pick(spot: "st.delta_generator.DeltaGenerator", label: str, found: Contrast, default: int, key: str) -> int:
    options = [BY_DATA, *found.labels]
    chosen = spot.selectbox(label, options, key=key, bind="query-params", help=f"By the sweep: {found.labels[default]}")
    return default if chosen == BY_DATA else options.index(str(chosen)) - 1


def _name(found: Contrast) -> str:
    return f"{found.labels[found.late]} less {found.labels[found.early]}"


def _sentence(found: Contrast, swept: str) -> str:
    far = float(found.distances[found.early, found.late])
    return f"**{_name(found)}**: their maps lie {far:.2f} apart (Hellinger, 0 to 1). {swept}"
