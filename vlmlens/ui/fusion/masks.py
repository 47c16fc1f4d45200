"""Masks: who may look at whom, as pictures one can hover; and a small computation that proves Flamingo's."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from vlmlens import charts
from vlmlens.charts import Figure
from vlmlens.lab.masks import MASKS
from vlmlens.lab.masks_told import Drawn, over
from vlmlens.lab.questions import by_text, normalise
from vlmlens.lab.scenes import Scene
from vlmlens.ui.fusion import interleaved
from vlmlens.ui.look import chart, titled
from vlmlens.ui.request import Request, asked
from vlmlens.ui.save import save_all

GROUPS = {
    "Q-Former": ("itc", "itm", "itg"),
    "Decoders": ("causal", "prefix", "full"),
    "Flamingo": ("last picture", "all pictures"),
}
MOST_WORDS = 12
HELP = (
    "Attention mask",
    "A table of who may look at whom: rows ask, columns are looked at. Before the softmax the score of a pair that may "
    "not look is set to minus infinity, so that it gets weight 0 and no gradient. Filled: may look, in the color of "
    "what is looked at. Hover a pair to be told why. *It cannot tell* what is looked at among what may be; that is the "
    "attention, and it is on Inspect.",
)


def draw() -> None:
    group = str(
        st.segmented_control(
            "Masks of",
            list(GROUPS),
            key="mask-group",
            default="Q-Former",
            required=True,
            bind="query-params",
            label_visibility="collapsed",
        )
    )
    if group == "Flamingo":
        interleaved.draw()
    else:
        _sequence(group, asked())


def _sequence(group: str, request: Request) -> None:
    """Masks over one sequence, side by side."""
    words, answers = spoken(request.question, request.source.scene, group == "Decoders")
    first = "Learned queries" if group == "Q-Former" else "Picture tokens"
    lengths = st.columns([1, 1, 2], gap="large")
    queries = int(lengths[0].slider(first, 1, 16, 8, key=f"mask-queries-{group}"))
    least = min(2, len(words))
    count = least
    if len(words) > least:
        count = int(lengths[1].slider("Words", least, len(words), len(words), key=f"mask-words-{group}-{len(words)}"))
    # The answer stays the last word however few there are.
    shown = [*words[: count - answers], *words[len(words) - answers :]] if answers else words[:count]
    lengths[2].caption(
        "The words are those of the question that the pages share"
        + (", and its answer on the picture" if answers else "")
        + ". Hover a pair to read whether the one may look at the other, and why not."
    )
    drawn = [over(MASKS[name], shown, queries, answers) for name in GROUPS[group]]
    table(drawn, f"masks of {group} · “{' '.join(shown)}”")


def table(drawn: Sequence[Drawn], about: str) -> None:
    """Masks side by side, each under its sentences, then what can be taken away."""
    figures: dict[str, Figure] = {}
    for column, each in zip(st.columns(len(drawn), gap="medium"), drawn, strict=True):
        with column:
            titled(f"**{each.mask.title}.** {each.mask.sentence}", HELP)
            figures[each.mask.title] = charts.mask(each)
            st.markdown(each.sentence())
            if each.seen.size:
                chart(figures[each.mask.title])
            st.caption(f"Used by {each.mask.used_by}. {each.mask.paper}.")
    frame = pd.DataFrame([{"mask": each.mask.name} | row for each in drawn for row in each.records()])
    folded = st.expander("As a table", key="mask-table", on_change="rerun")
    if folded.open:
        folded.dataframe(frame, width="stretch", hide_index=True, height=240)
    save_all("masks", figures, {"masks": {each.mask.name: each.seen.tolist() for each in drawn}}, frame, about)


def spoken(question: str, scene: Scene | None, answered: bool) -> tuple[list[str], int]:
    """The words of a question, and after them its answer where wanted; and how many words are the answer's."""
    words = question.replace("?", " ").split()[:MOST_WORDS] or ["what"]
    if not answered:
        return words, 0
    known = by_text().get(normalise(question)) if any(ch.isalnum() for ch in question) else None
    answer = known.answer(scene) if known is not None and scene is not None else None
    return [*words, answer or "…"], 1
