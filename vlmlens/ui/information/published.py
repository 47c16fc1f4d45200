"""As published: a study's per-input protocol on this picture and question, beside its controls."""

import streamlit as st

from vlmlens import charts
from vlmlens.information.published import AS_PUBLISHED, Published, published
from vlmlens.progress import Progress
from vlmlens.ui import results
from vlmlens.ui.ask import pick_input
from vlmlens.ui.information import words
from vlmlens.ui.jobs import result
from vlmlens.ui.look import chart, guard, titled
from vlmlens.ui.request import asked, remember
from vlmlens.ui.save import save_all

OTHERS = ("what shape is the red object?", "how many objects are there?", "is there a blue square?")


def draw() -> None:
    request = asked()
    left, rest = st.columns([1, 3], gap="large")
    with left:
        pick_input(request)
        remember(request)
    with rest, guard():
        vlm = results.model(request.model)
        results.notices(request, vlm)
        picture, question = request.source.load(), request.question

        def work(progress: Progress) -> Published:
            return published(vlm, picture, question, OTHERS, progress=progress)

        found = result(("published", vlm.name, request.source, question), "The protocol and its controls", work)
        titled(found.sentence(), words.PUBLISHED)
        (whole,) = found.of(AS_PUBLISHED)
        figure = charts.controls(found)
        chart(figure)
        st.caption(
            f"{whole.rows} paired rows decide everything: as many as the shortest of the sequences has tokens. "
            "The two unique terms are named after what they are; the study's stored names are swapped against its axes."
        )
        frame = found.to_frame()
        st.dataframe(frame.round(3), width="stretch", hide_index=True)
        save_all("published", {"controls": figure}, found.to_dict(), frame, f"{vlm.name} · “{question}”")
