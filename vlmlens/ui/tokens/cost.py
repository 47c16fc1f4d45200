"""Cost: what do so many image tokens cost in a real model, by part, and what would fewer save?"""

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pandas as pd
import streamlit as st
from PIL import Image

from vlmlens import charts
from vlmlens.errors import PictureError
from vlmlens.models import ours
from vlmlens.tokens.cost import BYTES, PARTS, Cost
from vlmlens.tokens.cuts import MOST_PIXELS, Seen
from vlmlens.tokens.models import Real, of_loaded, published
from vlmlens.tokens.rate import LEAVES_OUT, Rate, measure
from vlmlens.ui.jobs import result
from vlmlens.ui.look import chart, guard, titled
from vlmlens.ui.models import memory, model
from vlmlens.ui.request import Request, asked, remember
from vlmlens.ui.save import save_all
from vlmlens.ui.tokens import cost_words as words
from vlmlens.ui.tokens.cost_budgets import draw_budgets
from vlmlens.ui.tokens.cost_published import draw_published

DEFAULT = "llava-1.5-7b"
USUAL = (1024, 768)  # pixels of a picture that nobody chose
LOADED = "loaded"
MOST_TEXT = 1_000_000
MOST_TILES = 64
ROW = 35  # pixels of a table's line
UNTOUCHED = ("crossed", "windowed", "window")  # of a decoder: kept as they are


def draw() -> None:
    request = asked()
    left, right = st.columns([1, 2.6], gap="large")
    with left:
        real, size, text, other, dtype = _chosen(request)
    figures: dict[str, charts.Figure] = {}
    with right, guard():
        seen = real.see(*size)
        own, fewer = real.cost(*size, text), real.cost(*size, text, image=other)
        titled(_sentence(real, size, seen, own, fewer, dtype), words.COST)
        both = {f"{own.sequence.image:,} image tokens": own}
        if other != own.sequence.image:
            both[f"{other:,} image tokens"] = fewer
        figures["parts"] = charts.cost_parts(both)
        chart(figures["parts"])
        rate = None
        with guard():  # while it is measured the rest stands
            rate = _rate()
        frame = _table(own, fewer, dtype, rate)
        st.dataframe(frame, width="stretch", hide_index=True, height=ROW * (len(frame) + 1) + 3)
        if rate is not None:
            _time(rate, own, fewer)
        st.divider()
        figures |= draw_budgets(real, size, text, dtype)
        data = {
            "model": real.name,
            "hub": real.hub,
            "checked": real.checked,
            "unsure": real.unsure,
            "picture": list(size),
            "rule": seen.how,
            "cost": own.to_dict(),
            "second_budget": fewer.to_dict(),
            "rate_flop_per_second": None if rate is None else [rate.low, rate.median, rate.high],
        }
        save_all("cost", figures, data, frame, f"{real.name} · {size[0]} x {size[1]} px · {text} text tokens")
    st.divider()
    with guard():
        draw_published()


def _chosen(request: Request) -> tuple[Real, tuple[int, int], int, int, str]:
    """The widgets: the model, its shape, the picture's size, the text's length, a second budget."""
    rows = published()
    names = {name: row.name for name, row in rows.items()}
    if request.model == "lab:llava" or not ours(request.model):
        names[LOADED] = f"{request.model}, as it is loaded"
    if st.session_state.get("cost-model", DEFAULT) not in names:
        st.session_state["cost-model"] = DEFAULT
    name = str(
        st.selectbox(
            "Model",
            list(names),
            index=list(names).index(DEFAULT),
            format_func=lambda each: names[each],
            key="cost-model",
            bind="query-params",
            help="Published shapes; no weights are needed. A Hugging Face model that is chosen on another page stands "
            "here as well, as it cuts pictures up when it is loaded.",
        )
    )
    if name == LOADED:
        remember(request)
    real = of_loaded(model(request.model)) if name == LOADED else rows[name]
    shown = _shared_size(request)
    one, two = st.columns(2)
    with one:
        width = _number("Picture width, px", "cost-width", (shown or USUAL)[0], 1, MOST_PIXELS)
    with two:
        height = _number("height, px", "cost-height", (shown or USUAL)[1], 1, MOST_PIXELS)
    if shown and shown != (width, height):
        st.button(f"As the picture in question: {shown[0]} x {shown[1]}", on_click=_take_size, args=shown)
    one, two = st.columns(2)
    with one:
        text = _number("Text tokens", "cost-text", 64, 1, MOST_TEXT, "The question, its template, and any other words.")
    with two:
        other = _number(
            "Compare with", "cost-other", 64, 1, MOST_TEXT, "So many image tokens in place of the family's own count."
        )
    dtype = str(
        st.segmented_control("Cache in", list(BYTES), default="bf16", key="cost-dtype", bind="query-params") or "bf16"
    )
    real = _reshaped(real, name)
    st.caption(_shape_told(real))
    st.caption(_source_told(real))
    return real, (width, height), text, other, dtype


def _source_told(real: Real) -> str:
    """Where the sizes are from, and which of them nobody else confirms."""
    if not real.hub:
        return "From the config of the loaded model."
    told = f"Sizes of {real.hub}, checked against {real.checked}; the hub itself was not read."
    return f"{told} **No source was found for** {real.unsure}." if real.unsure else told


def _number(label: str, key: str, value: int, least: int, most: int, help_: str | None = None) -> int:
    found = st.number_input(label, least, most, value, key=key, bind="query-params", help=help_, step=1)
    return int(found if found is not None else value)


def _shared_size(request: Request) -> tuple[int, int] | None:
    """Of an uploaded picture; a lab scene is too small to say anything about real models."""
    try:
        content = request.source.load()
    except PictureError:
        return None
    return content.size if isinstance(content, Image.Image) else None


def _take_size(width: int, height: int) -> None:
    st.session_state["cost-width"], st.session_state["cost-height"] = width, height


def _reshaped(real: Real, name: str) -> Real:
    """The same model with other layers, heads, patches or tiles, where a person asks for that."""
    with st.expander("Change its shape"):
        if not st.toggle("Reckon with these", key=f"cost-changed-{name}"):
            st.caption("Layers, heads, widths, patches, merging and tiles can be set to anything.")
            return real
        decoder = _numbers(real.decoder, f"cost-decoder-{name}", UNTOUCHED)
        cut = _numbers(real.cut, f"cost-cut-{name}", ())
        tower, connector = real.tower, real.connector
        if tower is not None and (patch := getattr(cut, "patch", 0)):
            tower = replace(tower, values=tower.values * patch**2 // real.cut.patch**2)  # type: ignore[attr-defined]
        if connector is not None and connector.merge != getattr(cut, "merge", connector.merge):
            st.caption("The connector was made for another merging and is not counted.")
            connector = None
        return replace(real, name=f"{real.name}, changed", decoder=decoder, cut=cut, tower=tower, connector=connector)


def _numbers(shape: Any, key: str, without: tuple[str, ...]) -> Any:
    """A widget for every whole number of a frozen data class."""
    found = {}
    for each in fields(shape):
        value = getattr(shape, each.name)
        if type(value) is int and each.name not in without:
            least = 0 if value == 0 or each.name in ("extra", "least") else 1
            label = each.name.replace("_", " ")
            tiles = each.name in ("least", "most") and value <= MOST_TILES
            most = MOST_TILES if tiles else max(MOST_TEXT, 100 * value)
            found[each.name] = int(st.number_input(label, least, most, value, key=f"{key}-{each.name}"))
    return replace(shape, **found)


def _shape_told(real: Real) -> str:
    decoder, tower = real.decoder, real.tower
    told = (
        f"{decoder.layers} layers of width {decoder.hidden:,}, {decoder.heads} heads ({decoder.kv_heads} for keys) of "
        f"{decoder.head}, MLP {decoder.inner:,}{'' if decoder.gated else ' without a gate'}, "
        f"a vocabulary of {decoder.vocabulary:,}"
    )
    if decoder.windowed:
        told += f"; {decoder.windowed} layers keep {decoder.window:,} tokens"
    if decoder.crossed:
        told += f"; {decoder.crossed} layers look at the picture"
    if tower is None:
        return f"{told}. Its vision tower is of a build that is not counted."
    return f"{told}. Vision tower: {tower.layers} layers of width {tower.hidden:,}, {tower.heads} heads."


def _sentence(real: Real, size: tuple[int, int], seen: Seen, own: Cost, fewer: Cost, dtype: str) -> str:
    given, other = own.sequence, fewer.sequence.image
    where = "beside the sequence" if given.beside else f"{given.share:.0%} of a sequence of {given.length:,}"
    told = (
        f"{real.name} makes **{given.image:,} image tokens** of {size[0]:,} x {size[1]:,} px ({seen.how}), {where}. "
        f"One pass takes **{flops(own.total)}** and leaves {memory(own.cache(dtype))} of keys and values in {dtype}. "
    )
    if other == given.image:
        return told + "The second budget is the same."
    fewer_tokens = _times(given.image, other, "fewer")
    return told + (
        f"With {other:,} in their place, {fewer_tokens}, it takes {flops(fewer.total)}, "
        f"{_times(own.total, fewer.total)}."
    )


def _times(before: float, after: float, less: str = "less") -> str:
    """How many times less, or more."""
    return f"{before / after:.1f} times {less}" if after <= before else f"{after / before:.1f} times more"


def flops(count: float) -> str:
    """Operations in the unit that fits."""
    for unit, size in (("PFLOP", 1e15), ("TFLOP", 1e12), ("GFLOP", 1e9)):
        if count >= size:
            return f"{count / size:,.2f} {unit}"
    return f"{count / 1e6:,.2f} MFLOP"


def _table(own: Cost, fewer: Cost, dtype: str, rate: Rate | None) -> pd.DataFrame:
    """Both budgets, a line a quantity, and how many times less the second is."""
    lines: list[tuple[str, float, float, Callable[[Any], str]]] = [
        ("image tokens", own.sequence.image, fewer.sequence.image, "{:,}".format),
        ("tokens in the sequence", own.sequence.length, fewer.sequence.length, "{:,}".format),
        ("picture's part of all tokens", own.sequence.share, fewer.sequence.share, "{:.1%}".format),
        ("pairs of tokens, all layers", own.pairs, fewer.pairs, "{:,}".format),
        *((part, own.flops[part], fewer.flops[part], flops) for part in PARTS if part in own.flops),
        ("all operations", own.total, fewer.total, flops),
        (f"keys and values, {dtype}", own.cache(dtype), fewer.cache(dtype), memory),
    ]
    if rate is not None:
        one, two = own.total / rate.median, fewer.total / rate.median
        lines.append(("seconds at the measured rate", one, two, "{:.2f}".format))
    return pd.DataFrame(
        [
            {"quantity": what, "own count": told(here), "compared with": told(there), "ratio": f"{here / there:.2f}"}
            for what, here, there, told in lines
        ]
    )


def _rate() -> Rate | None:
    """What this machine multiplies, once a person asked; asked again it is measured again."""
    with st.container(horizontal=True, vertical_alignment="center"):
        asked_for = st.session_state.get("cost-rate", 0)
        label = "Measure again" if asked_for else "Measure this machine: seconds for these operations"
        st.button(label, on_click=_ask_rate, help="Multiplies matrices for two seconds; can be cancelled.")
    if not asked_for:
        return None
    found: Rate = result(("rate", asked_for), "Multiplying matrices", lambda progress: measure(progress=progress))
    return found


def _ask_rate() -> None:
    st.session_state["cost-rate"] = st.session_state.get("cost-rate", 0) + 1


def _time(rate: Rate, own: Cost, fewer: Cost) -> None:
    (one, one_fast, one_slow), (two, two_fast, two_slow) = rate.seconds(own.total), rate.seconds(fewer.total)
    titled(
        f"{rate.sentence()}: the pass takes at least {one:.2g} s ({one_fast:.2g} to {one_slow:.2g}), with "
        f"{fewer.sequence.image:,} image tokens {two:.2g} s ({two_fast:.2g} to {two_slow:.2g}).",
        words.TIME,
    )
    st.caption(LEAVES_OUT)
