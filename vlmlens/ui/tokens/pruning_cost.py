"""What pruning saves: the published formula, the operations counted, this device's clock, side by side."""

from collections.abc import Iterator
from dataclasses import dataclass

import streamlit as st

from vlmlens import charts
from vlmlens.models.huggingface import HuggingFaceVLM
from vlmlens.progress import Progress
from vlmlens.tokens.prune import prune
from vlmlens.tokens.prune_cost import Decoder, Timing, counted, formula, timed
from vlmlens.tokens.pruned import image_tokens
from vlmlens.ui.jobs import live, offer, wanted
from vlmlens.ui.look import chart, titled
from vlmlens.ui.request import Request
from vlmlens.ui.tokens import pruning_words as words

PAIRS = 15


@dataclass(frozen=True)
class Cost:
    tokens: int  # of the prompt
    image: int  # of these
    formula: float
    counted: float
    timing: Timing | None


def cost(request: Request, vlm: HuggingFaceVLM, share: float, layer: int, by: str) -> dict[str, charts.Figure]:
    """Draws it; what can be saved of it. Of a large model only when it is asked for."""
    key = ("prune-cost", vlm.name, vlm.info.revision, request.source, request.question, share, layer, by)
    if not (vlm.info.lab or wanted(key)):
        st.markdown("**What is saved?**")
        offer(key, f"Measure it (up to {2 * PAIRS + 6} passes)", "prune-measure")
        return {}
    drawn: dict[str, charts.Figure] = {}
    content = request.source.load()

    def work(progress: Progress) -> Iterator[Cost]:
        ready = vlm.prepare(vlm.image(content), request.question)
        image, length = len(image_tokens(vlm, ready)), ready.length - vlm.before
        published = formula(Decoder.of(vlm), length, image, share, layer)
        part = counted(vlm, ready, prune(vlm, share, layer, by)) / counted(vlm, ready)
        yield Cost(length, image, published, part, None)
        for timing in timed(vlm, ready, share, layer, by, PAIRS, progress=progress):
            yield Cost(length, image, published, part, timing)

    def show(found: Cost, ended: bool) -> None:
        titled(sentence(found, ended), words.COST)
        clock = None if found.timing is None else (found.timing.ratio, *found.timing.interval)
        figure = charts.saved(clock, found.counted, found.formula)
        chart(figure)
        drawn["saved"] = figure

    live(key, "Timing full and pruned passes in turn", work, show, first=1.0)
    return drawn


def sentence(found: Cost, ended: bool) -> str:
    """What each ruler says is left, the clock with its doubt."""
    shares = (
        f"of the decoder's operations {found.counted:.2f} are left by PyTorch's count and {found.formula:.2f} by the "
        f"published formula ({found.image} of {found.tokens} tokens are the picture's)"
    )
    if found.timing is None:
        return f"Not timed yet; {shares}."
    low, high = found.timing.interval
    pairs = len(found.timing.full)
    if low != low:
        return f"Timed {pairs} of {PAIRS} times; {shares}."
    clock = f"{found.timing.ratio:.2f}** of the full pass's time ({low:.2f} to {high:.2f}, {pairs} pairs)"
    told = {
        "faster": "faster on this device",
        "slower": "slower on this device, where so short a sequence saves less than the pruning costs",
        "inconclusive": "inconclusive on this device",
    }
    tail = f", {told[found.timing.verdict]}" if ended else ", so far"
    return f"A pruned pass takes **{clock}{tail}; {shares}."
