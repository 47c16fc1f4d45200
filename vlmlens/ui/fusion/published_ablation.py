"""Is the published fusion ablation confirmed here, by which ruler, and why do rulers disagree?"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from vlmlens import charts
from vlmlens.information.ablation import PUBLISHED
from vlmlens.information.against_published import EFFECT, Comparison, against_published, told
from vlmlens.information.measured import ablation
from vlmlens.ui.fusion import gallery_words as words
from vlmlens.ui.look import chart, titled
from vlmlens.ui.save import save_all

SHORT = {"interventional": "PID", "behaviour": "behavior", "representational": "states"}
VERDICTS = {"confirmed": "✓", "same direction": "✓", "contradicted": "✕", "cannot say": "~"}


def draw() -> None:
    """The published ablation, and which ruler finds it here."""
    readings, command, date = ablation()
    found = against_published(readings)
    titled(f"**Is the published ablation confirmed?** {_verdict(found)}", words.PUBLISHED)
    left, right = st.columns([1.1, 1], gap="large")
    names = [f"{SHORT[row.ruler]}, {row.kind}, {row.point}" for row in found]
    with left:
        figure = charts.differences_to_published(names, [(r.difference, r.low, r.high) for r in found], EFFECT)
        chart(figure)
    with right:
        st.markdown("**Published image and text shares**, percent (RoBERTa + ViT, VQAv2)")
        st.dataframe(
            pd.DataFrame([{"wiring": n, "image": 100 * s, "text": 100 * (1 - s)} for n, s in PUBLISHED.items()]).round(
                1
            ),
            width="stretch",
            hide_index=True,
        )
        st.markdown(_why(found))
        frame = pd.DataFrame(
            [
                {
                    "reading": name,
                    "difference": "n/a" if row.why else f"{row.difference:+.3f} [{row.low:+.3f}, {row.high:+.3f}]",
                    "verdict": f"{VERDICTS[row.verdict]} {row.verdict}",
                    "published order": row.order.words,
                }
                for name, row in zip(names, found, strict=True)
            ]
        )
        st.dataframe(frame, width="stretch", hide_index=True, height=300)
    st.caption(
        "*PID*: interventional, of what acts on the input. *States*: representational, of what the states hold. Three "
        f"seeds a wiring, measured by `{command}` on {date}. *Published order*: how often one seed of each of "
        "the four wirings, drawn at random, shows it exactly; 4 % by chance."
    )
    with st.container(horizontal=True):
        st.page_link("app_pages/information.py", label="Every ruler and place", query_params={"view": "Wirings"})
        save_all(
            "published",
            {"differences": figure},
            {"published": PUBLISHED, "readings": [row.sentence() for row in found]},
            frame,
            "the published fusion ablation against this lab",
        )


def _verdict(found: Sequence[Comparison]) -> str:
    acting = [row for row in found if row.ruler != "representational"]
    inside = [row for row in found if row.ruler == "representational"]
    against = sum(row.verdict == "contradicted" for row in acting)
    held = sum(row.verdict in ("confirmed", "same direction") for row in inside)
    size = sum(row.verdict == "confirmed" for row in inside)
    return (
        f"By what acts on the input (interventional PID, behavior) it is contradicted in {against} of {len(acting)} "
        f"readings. By what the states hold its direction shows in {held} of {len(inside)} readings, its size in "
        f"{size}."
    )


def _why(found: Sequence[Comparison]) -> str:
    """Why rulers disagree, with the places that show it."""
    inside = [row for row in found if row.ruler == "representational" and not row.why]
    early = [row.difference for row in inside if row.point == "before fusion"]
    late = [row.difference for row in inside if row.point == inside[-1].point] if inside else []
    acting = [abs(row.difference) for row in found if row.ruler != "representational"]
    if not (early and late and acting):
        return "n/a: too few readings to say why."
    return (
        f"**Why.** Before fusion the two wirings lie {np.mean(early):+.2f} apart on average, {inside[-1].point} "
        f"{np.mean(late):+.2f}: there image to text holds both in its picture positions, and text to image in its "
        "words. The published order then tells which stream is reshaped. What the answer depends on differs by at most "
        f"{max(acting):.3f}: wirings that answer alike use the picture alike. In full: {told(found)}."
    )
