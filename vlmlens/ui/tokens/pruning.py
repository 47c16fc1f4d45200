"""Pruning: how many image tokens can a loaded model do without, which are they, and what is saved?"""

from typing import Any

import numpy as np
import streamlit as st

from vlmlens import charts
from vlmlens.errors import NotApplicable
from vlmlens.lab.draw import draw as draw_scene
from vlmlens.models.huggingface import HuggingFaceVLM
from vlmlens.picture import encode_png, for_display
from vlmlens.tokens.prune import layers_allowed
from vlmlens.tokens.pruned import SHARES, Effect, compare
from vlmlens.tokens.rank import RANKERS
from vlmlens.ui import results
from vlmlens.ui.ask import pick_input
from vlmlens.ui.jobs import result
from vlmlens.ui.look import guard, titled
from vlmlens.ui.picture import Maps, picture
from vlmlens.ui.request import Request, asked, remember
from vlmlens.ui.results import escape
from vlmlens.ui.save import save_all
from vlmlens.ui.tokens import pruning_words as words
from vlmlens.ui.tokens.pruning_accuracy import accuracy
from vlmlens.ui.tokens.pruning_cost import cost
from vlmlens.ui.tokens.pruning_curve import curve

HERE = "lab:llava"  # can be pruned, and is always at hand
PERCENT = sorted(round(100 * share) for share in SHARES)
HEIGHT = 330  # pixels of the picture
LOST = "prune-lost"  # in the session's state: the model and the layer of a link that it does not have
SIDE = 336  # of a lab scene as people see it


def draw() -> None:
    request = asked()
    left, rest = st.columns([1, 3.2], gap="large")
    with left:
        pick_input(request, folded=True)
    remember(request)
    vlm, layer = None, 1
    with rest, guard():
        vlm = _model(request)
    figures: dict[str, charts.Figure] = {}
    data: dict[str, Any] = {}
    if vlm is not None:
        with left:
            share, layer, by = _dials(vlm)
        middle, right = rest.columns([1.15, 1.9], gap="large")
        with middle, guard():
            effect = _effect(request, vlm, share, layer, by)
            _answer(effect)
            _who(effect, request)
            data |= _numbers(effect)
        if data:
            with right, guard():
                results.notices(request, vlm)
                titled(said(effect, vlm.name), words.EFFECT)
                figures |= curve(request, vlm, share, layer, by)
            with right, guard():
                figures |= cost(request, vlm, share, layer, by)
    st.divider()
    with guard():
        drawn, frame = accuracy(vlm.name if vlm is not None else HERE, layer, data.get("share", 0.25))
        figures |= drawn
        if figures:
            about = f"{request.model} · layer {layer} · “{request.question}”"
            save_all("pruning", figures, data, frame, f"pruning · {about}")


def _model(request: Request) -> HuggingFaceVLM | None:
    """The model, if tokens can leave it; else why not, and one with which it can be tried."""
    vlm = results.model(request.model)
    try:
        layers_allowed(vlm)
    except NotApplicable as refusal:
        st.info(f"n/a: {refusal}")
        st.button(f"Take {HERE}", on_click=_take, key="prune-take")
        return None
    assert isinstance(vlm, HuggingFaceVLM)
    return vlm


def _take() -> None:
    st.session_state.model = HERE


def _dials(vlm: HuggingFaceVLM) -> tuple[float, int, str]:
    """The share kept, K and the ranking."""
    share = st.select_slider(
        "Image tokens kept, %",
        PERCENT,
        value=25,
        key="prune-share",
        bind="query-params",
        help="Rounded up to whole tokens. At 0 none goes on after layer K; at 100 it is the full model.",
    )
    layers = layers_allowed(vlm)
    layer = _layer(vlm, layers)
    by = st.segmented_control(
        "Ranked by",
        list(RANKERS),
        default="attention",
        key="prune-by",
        bind="query-params",
        required=True,
        help="  \n".join(f"*{name}*: {ranker.about}." for name, ranker in RANKERS.items()),
    )
    return share / 100, layer, str(by or "attention")


def _layer(vlm: HuggingFaceVLM, layers: range) -> int:
    """K, by a slider where there is a choice; a link's layer that does not exist is said so."""
    key, last = "prune-layer", layers.stop - 1
    kept = st.session_state.get(key)
    wanted = st.query_params.get(key) if kept is None else kept  # a link speaks before the dial is there
    if wanted is not None and (not str(wanted).isdigit() or int(wanted) not in layers):
        st.session_state[LOST] = vlm.name, wanted
        st.session_state[key] = layers.start
    model, lost = st.session_state.get(LOST, (vlm.name, None))
    if lost is not None and model == vlm.name:  # until the dial is turned
        st.warning(
            f"{vlm.name} has {len(vlm.layers)} layers: tokens can leave after layers {layers.start} to {last}, not "
            f"after layer {lost}. Layer {layers.start} is taken."
        )
    if len(layers) == 1:
        st.caption(f"They leave after layer {layers.start} of {len(vlm.layers)}, the only one that allows it.")
        return layers.start
    return int(
        st.slider(
            f"All tokens up to layer K of {len(vlm.layers)}",
            layers.start,
            last,
            key=key,
            bind="query-params",
            on_change=lambda: st.session_state.pop(LOST, None),
            help="The image tokens are ranked in layer K; those that leave pass none of the layers after it.",
        )
    )


def _effect(request: Request, vlm: HuggingFaceVLM, share: float, layer: int, by: str) -> Effect:
    content = request.source.load()
    return result(
        ("prune", vlm.name, vlm.info.revision, request.source, request.question, share, layer, by),
        f"Asking {vlm.name} with and without",
        lambda _progress: compare(vlm, content, request.question, share, layer, by),
    )


def _answer(effect: Effect) -> None:
    """The answer with all tokens, and with those that stay."""
    pairs = (
        (f"all {effect.tokens} image tokens", effect.said_before or effect.before.text, effect.before.probability),
        (f"{effect.kept} of them", effect.said_after or effect.after.text, effect.after.probability),
    )
    for place, (which, text, probability) in zip(st.columns(2), pairs, strict=True):
        size = "lens-answer long" if len(text) > results.LONG else "lens-answer"
        with place:
            st.caption(f"With {which}")
            st.html(f'<p class="{size}">{escape(text)}<small>{probability:.2f}</small></p>')


def _who(effect: Effect, request: Request) -> None:
    """The picture, in color as far as the later layers still read it."""
    scene = request.source.scene
    content = request.source.load()
    shown = draw_scene(scene, SIDE) if scene is not None else for_display(content)  # type: ignore[arg-type]
    scores = None
    if effect.scores is not None and effect.grid.through is None:
        ranked = st.toggle("Show the ranking", key="prune-ranking", help="What each token was ranked by, as a map.")
        if ranked:
            values = dict(zip(effect.positions.tolist(), effect.scores.tolist(), strict=True))
            cells = [values.get(int(position), 0.0) for position in effect.grid.positions]
            scores = Maps((f"{effect.by}, layer {effect.layer}",), np.array(cells, np.float32)[None, None], 1)
    faded = charts.who_stays(shown, effect.grid, effect.shown)
    picture(
        encode_png(shown if scores is not None else faded),
        effect.grid.boxes,
        scores,
        (),
        size=effect.grid.size,
        key="prune-picture",
        height=HEIGHT,
        tools=("hover",),
    )
    titled(
        f"**{effect.kept} of {effect.tokens}** image tokens go on after layer {effect.layer}, ranked by "
        f"{RANKERS[effect.by].about}.",
        words.STAYS,
    )


def said(effect: Effect, model: str) -> str:
    """What became of the answer, in a sentence."""
    before, after = effect.before, effect.after
    if effect.kept == effect.tokens:
        return f"All {effect.tokens} image tokens stay: this is the full model, and {model} says “{before.text}”."
    if effect.kept == 0:
        start = f"No image token goes on after layer {effect.layer}; what the words have read by then is all there is. "
    else:
        start = f"With **{effect.kept} of {effect.tokens}** image tokens after layer {effect.layer}, "
    falls = f"from {before.probability:.2f} to **{effect.probability:.2f}**"
    if effect.same:
        told = f"{model} still says “{before.text}”; its probability goes {falls}."
    elif before.candidate == after.candidate:
        told = f"{model} begins alike, “{before.text}” ({falls}), and then says something else."
    else:
        told = f"{model} says “{after.text}” ({after.probability:.2f}); “{before.text}” goes {falls}."
    return start + told


def _numbers(effect: Effect) -> dict[str, Any]:
    return {
        "share": effect.share,
        "layer": effect.layer,
        "ranked_by": effect.by,
        "image_tokens": effect.tokens,
        "kept": effect.kept,
        "prompt_tokens": effect.length,
        "answer": effect.said_before or effect.before.text,
        "answer_pruned": effect.said_after or effect.after.text,
        "probability": effect.before.probability,
        "probability_pruned": effect.probability,
        "stays": effect.stays.tolist(),
    }
