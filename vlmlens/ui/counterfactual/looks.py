"""Where does it look before and after? Three small maps that follow every change, and the fold with the large ones."""

import base64
import io
from dataclasses import replace

import numpy as np
import streamlit as st
from PIL import Image

from vlmlens import charts
from vlmlens.attention import default_place
from vlmlens.attribution import Map
from vlmlens.attribution.case import single
from vlmlens.attribution.from_attention import raw_map
from vlmlens.counterfactual.compare import MapChange
from vlmlens.models import as_image
from vlmlens.picture import encode_png
from vlmlens.ui import results
from vlmlens.ui.counterfactual.asking import Runs
from vlmlens.ui.counterfactual.words import LOOKS
from vlmlens.ui.look import titled

THUMB = 160  # pixels
LINK = "before and after"
UNIT = "of the attention"


def strip(runs: Runs) -> None:
    """Before, after and the difference at the layer that is the most telling before."""
    maps = runs.difference.maps
    if maps is None:
        st.caption(f"No maps to compare: {runs.difference.no_maps}")
        return
    place = default_place(runs.before)
    most = float(max(maps.before[place].max(), maps.after[place].max())) or 1.0
    swing = float(np.abs(maps.difference[place]).max())
    was, now = _small(as_image(runs.request.source.load())), _small(runs.image)
    layer = maps.labels[place].split(":")[0]
    told = f"difference, up to {100 * swing:.1f} %"
    shown = (
        (f"looks at {layer}, before", _thumb(was, maps, maps.before[place] / most)),
        ("after", _thumb(now, maps, maps.after[place] / most)),
        (told, _thumb(now, maps, maps.difference[place] / (swing or 1.0), signed=True)),
    )
    figures = (
        f'<figure><img alt="Where it looks: {name}" src="{image}"><figcaption>{name}</figcaption></figure>'
        for name, image in shown
    )
    st.html(f'<div class="thumbs">{"".join(figures)}</div>')


def _small(image: Image.Image) -> Image.Image:
    """A small copy of a picture; pixels that a model gets are shown as pixels."""
    scale = THUMB / max(image.size)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    return image.convert("RGB").resize(size, Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BILINEAR)


def _thumb(image: Image.Image, maps: MapChange, values: np.ndarray, signed: bool = False) -> str:
    """As an address that holds the picture itself. `values` [cell] are fractions of what the colours end with."""
    drawn = charts.overlay(encode_png(image), maps.grid, values, signed, most=1.0)
    buffer = io.BytesIO()
    drawn.save(buffer, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def draw_fold(runs: Runs) -> None:
    maps = runs.difference.maps
    if maps is None:
        st.info(f"n/a: {runs.difference.no_maps}")
        return
    if st.session_state.get("looks-layer") not in maps.labels:
        st.session_state["looks-layer"] = maps.labels[default_place(runs.before)]
    chosen = str(st.selectbox("Layer", maps.labels, key="looks-layer"))
    place = maps.labels.index(chosen)
    titled(_sentence(maps, place), LOOKS)
    columns = st.columns(3, gap="medium")
    sides = (
        ("before", runs.before, _only(raw_map(runs.before), place)),
        ("after", runs.after, _only(raw_map(runs.after), place)),
    )
    for column, (name, trace, found) in zip(columns, sides, strict=False):
        with column:
            st.markdown(f"**{name}**, “{trace.answers[0].text}”")
            results.picture_with_maps(None, trace, f"look-{name}", found, link=LINK, tools=("hover",))
    with columns[2]:
        st.markdown("**difference**, after less before")
        less = replace(single("difference", maps.difference[place], UNIT), labels=(chosen,), signed=True)
        results.picture_with_maps(None, runs.after, "look-difference", less, link=LINK, tools=("hover",))


def _only(found: Map, place: int) -> Map:
    """One slice of a map, its heads apart."""
    return replace(
        found, labels=found.labels[place : place + 1], values=found.values[place : place + 1], first=0, words=None
    )


def _sentence(maps: MapChange, place: int) -> str:
    before, after = maps.before[place], maps.after[place]
    hottest = [divmod(int(values.argmax()), maps.grid.shape[1]) for values in (before, after)]
    where = [f"row {row + 1}, column {column + 1}" for row, column in hottest]
    stays = "stays at" if where[0] == where[1] else f"goes from {where[0]} to"
    total = f"{before.sum():.0%} of attention was on the picture before, {after.sum():.0%} is after"
    return f"At {maps.labels[place].split(':')[0]} the hottest patch {stays} {where[1]}; {total}."
