"""The answer's probability over the share kept, ranked tokens against chance; it grows draw by draw."""

from collections.abc import Sequence
from math import nan

import numpy as np
import streamlit as st

from vlmlens import charts
from vlmlens.charts.pruning import Point
from vlmlens.models.huggingface import HuggingFaceVLM
from vlmlens.tokens.prune import count
from vlmlens.tokens.pruned import DRAWS, SHARES, Curve, sweep
from vlmlens.tokens.rank import RANKERS
from vlmlens.ui.jobs import live, offer, wanted
from vlmlens.ui.look import chart, titled
from vlmlens.ui.request import Request
from vlmlens.ui.tokens import pruning_words as words

BAND = "from the worst to the best draw"
PASSES = len(SHARES) * (len(RANKERS) - 1) + DRAWS * (len(SHARES) - 2)


def curve(request: Request, vlm: HuggingFaceVLM, share: float, layer: int, by: str) -> dict[str, charts.Figure]:
    """Draws it; what can be saved of it. Of a large model only when it is asked for."""
    key = ("prune-curve", vlm.name, vlm.info.revision, request.source, request.question, layer)
    if not (vlm.info.lab or wanted(key)):
        st.markdown("**How does the answer fare with fewer tokens, and against chance?**")
        offer(key, f"Follow the curve (up to {PASSES} passes)", "prune-follow")
        return {}
    drawn: dict[str, charts.Figure] = {}
    content = request.source.load()

    def show(found: Curve, ended: bool) -> None:
        titled(sentence(found, by, share, ended), words.CURVE)
        figure = charts.by_share(points(found), f"probability of “{found.answer.text}”", BAND, share)
        chart(figure)
        drawn["curve"] = figure

    live(
        key,
        "Pruning at every share",
        lambda progress: sweep(vlm, content, request.question, layer, progress=progress),
        show,
        first=1.0,
    )
    return drawn


def points(found: Curve) -> dict[str, Sequence[Point]]:
    """Lines with their bands; a ranking without chance has none."""
    lines: dict[str, list[Point]] = {}
    for name, own in found.found.items():
        lines[name] = [
            (share, float(np.mean(values)), min(values), max(values))
            if len(values) > 1
            else (share, values[0], nan, nan)
            for share, values in own.items()
        ]
        if RANKERS[name].chance and lines[name]:  # with all tokens, and with none, there is nothing to draw
            sure = found.found["attention"]
            lines[name] += [
                (share, sure[share][0], sure[share][0], sure[share][0]) for share in (0.0, 1.0) if share in sure
            ]
    return {name: line for name, line in lines.items() if line}


def sentence(found: Curve, by: str, share: float, ended: bool) -> str:
    """A ranking against chance at this share, with the verdict."""
    kept = count(share, found.tokens)
    if kept in (0, found.tokens):
        return "With all image tokens, and with none, there is nothing to choose: every ranking is the same there."
    name = by if not RANKERS[by].chance else "attention"
    own, draws = found.found[name].get(share), found.found["random"].get(share, ())
    if own is None or not draws:
        return f"The {kept} highest tokens against {kept} at random: under way."
    word, as_good, many = found.verdict(name, share)
    start = (
        f"The {kept} that *{name}* ranks highest hold “{found.answer.text}” at **{own[0]:.2f}**; {kept} at random at "
        f"{np.mean(draws):.2f} ({min(draws):.2f} to {max(draws):.2f}, {many} draws)"
    )
    if not ended:
        return f"{start} so far."
    rank = f"{as_good} of {many} draws did as well"
    return f"{start}: **{word}**, {rank}." if word != "inconclusive" else f"{start}: **inconclusive**, {rank}."
