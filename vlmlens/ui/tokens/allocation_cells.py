"""The described budget on the cells of a loaded model: which K cells, how many tokens each; a map only."""

import numpy as np
import streamlit as st

from vlmlens.attribution import Map
from vlmlens.tokens.allocation import best
from vlmlens.tokens.cells import scores_of
from vlmlens.tokens.described import DESCRIBED
from vlmlens.tokens.redrawn import fits
from vlmlens.tokens.relevance import Tensions, relevance
from vlmlens.ui import results
from vlmlens.ui.jobs import result
from vlmlens.ui.look import titled
from vlmlens.ui.models import model
from vlmlens.ui.request import Request
from vlmlens.ui.tokens import allocation_words as words


def cells(request: Request) -> None:
    """For a model that is not one of the lab's own; nothing for those, whose picture is drawn again above."""
    vlm = model(request.model)
    if fits(vlm):
        return
    st.markdown(f"**Which cells of {vlm.name} would the described budget go to?**")
    trace = results.inspect(request)
    content = request.source.load()
    scores = result(
        ("allocation-cells", vlm.name, request.source, request.question),
        f"Reading the cells of {vlm.name}",
        lambda progress: scores_of(vlm, content, trace),
    )
    many = trace.grid.cells
    left, right = st.columns([1, 3.2], gap="large")
    with left:
        count = st.number_input(
            "K, cells that get tokens", 1, value=min(DESCRIBED.patches, many), key="allocation-k",
            help=f"The description takes {DESCRIBED.patches}; this picture has {many} cells in this model.",
        )  # fmt: skip
    shown = st.session_state
    tensions = Tensions(
        *(float(shown.get(f"allocation-{name}", 0.0)) for name in ("particularize", "explore", "diversify"))
    )
    mean = round(DESCRIBED.mean)
    with right:
        found = relevance(scores, trace.grid.shape, tensions)
        tokens = best(found, int(count), mean * int(count), DESCRIBED.low, DESCRIBED.high)
        given = tokens[tokens > 0]
        titled(
            f"{int(count)} of {many} cells share {mean * int(count):,} tokens, {mean} each on average: {given.min()} "
            f"to {given.max()}, and **{int((given == DESCRIBED.high).sum())}** of them have the maximum of "
            f"{DESCRIBED.high}.",
            words.CELLS,
        )
        stack = np.stack([*scores.leveled(), tokens.astype(float)])[:, None]
        labels = ("information", "salience", "coupling", "tokens")
        results.picture_with_maps(
            request, trace, "allocation-cells",
            Map("allocation", labels, stack, unit="(scores on 0 to 1, tokens as they are)"),
            (), 3, tools=("hover",), link="cells",
        )  # fmt: skip
