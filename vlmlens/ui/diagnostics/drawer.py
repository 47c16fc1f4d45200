"""What drives a verdict: its parts as charts, and the items at both ends, each with a way into Inspect."""

import os
from collections import OrderedDict
from collections.abc import Hashable
from pathlib import Path
from urllib.parse import quote

import streamlit as st
from PIL import Image

from vlmlens import charts
from vlmlens.charts import SCALES
from vlmlens.diagnostics import Evidence, ProbeSet, Row
from vlmlens.diagnostics.crossed import picture_key
from vlmlens.lab.draw import draw as draw_scene
from vlmlens.lab.scenes import Scene
from vlmlens.models import Picture, as_image
from vlmlens.picture import encode_png
from vlmlens.ui.diagnostics.work import Found
from vlmlens.ui.look import chart
from vlmlens.ui.source import Source
from vlmlens.ui.words import markdown

SIDE = 200  # pixels of a thumbnail
MOST_SHOWN = 48  # pictures held; an uploaded one stays longer, see ui/source.py
FEWEST_ENDS = 8  # items, above which they are the largest and the smallest

_shown: "OrderedDict[Hashable, tuple[Image.Image, Source]]" = OrderedDict()


def draw(row: Row, found: Found, probe: ProbeSet) -> None:
    """The parts, then the items."""
    st.caption(f"{row.threshold} {row.supply.sentence()}")
    _parts(row)
    if not row.evidence:
        st.caption("No items: nothing was measured.")
        return
    half = len(row.evidence) // 2
    groups = {"The items": row.evidence}
    if len(row.evidence) >= FEWEST_ENDS:
        groups = {"Where it is largest": row.evidence[:half], "Where it is smallest": row.evidence[half:]}
    for place, (title, some) in zip(st.columns(2, gap="medium"), groups.items(), strict=False):
        with place:
            st.markdown(f"**{title}**")
            for one in some:
                _item(one, found, probe)


def _parts(row: Row) -> None:
    """What the effect is made of, where a test has more to show than one number."""
    details, scale = row.details, SCALES[row.name]
    if stand_ins := details.get("stand_ins"):
        measure = "gain" if row.name == "information" else "surer"
        title = "bits that the picture adds" if measure == "gain" else "surer with the picture, probability"
        values = [float(one[measure]) for one in stand_ins.values()]
        bounds = [one["interval"] for one in stand_ins.values()]
        st.markdown("**Four stand-ins for “no picture”, together**" if len(values) == 4 else "**Stand-ins**")
        chart(charts.against(list(stand_ins), values, bounds, title, scale.threshold, scale.spec))
        if "brier" in next(iter(stand_ins.values())):
            told = [
                f"{name}: Brier {one['brier']:+z.3f}, log loss {one['log_loss']:+z.2f} bit"
                for name, one in stand_ins.items()
                if one["brier"] == one["brier"]
            ]
            if told:
                st.caption(f"What the picture saves in error · {' · '.join(told)}")
    if fills := details.get("fills"):
        left, right = st.columns(2)
        with left:
            st.markdown("**Three fills: place of the answer minus elsewhere**")
            values = [one["here"] - one["elsewhere"] for one in fills.values()]
            bounds = [one["interval"] for one in fills.values()]
            chart(charts.against(list(fills), values, bounds, "bits", scale.threshold, scale.spec))
        with right:
            st.markdown("**Dose: hidden in part**")
            chart(charts.mask_dose(details["doses"]))
    if "words" in details:
        _context(row)
    if "noise_floor_bits" in details:
        low, high = details["share_interval"]
        st.caption(
            f"Noise floor {details['noise_floor_bits']:.1e} bit, ten times that is a move; {details['share']:.0%} of "
            f"the items move ({low:.0%} to {high:.0%})."
        )
    if "explaining_away_bits" in details:
        low, high = details["explaining_away_interval"]
        st.caption(f"Explaining away {details['explaining_away_bits']:.3f} bit ({low:.3f} to {high:.3f}).")


def _context(row: Row) -> None:
    details = row.details
    low, high = row.interval
    told = f"Slope of the dependency {row.effect:+z.0%} ({low:+z.0%} to {high:+z.0%}) from no filler to the most"
    if details["accuracy"]:
        low, high = details["accuracy_slope_interval"]
        told += f"; of accuracy between {low:+z.2f} and {high:+z.2f} (95 %)"
    st.markdown(f"{told}. Filler: {details['phrasing']}.".replace("-", "−"))
    left, right = st.columns(2)
    with left:
        chart(charts.context_use(details))
    with right:
        if details["image_share"][0] == details["image_share"][0]:
            chart(charts.context_attention(details))
        else:
            st.caption("n/a: in this model picture and words do not compete for attention, so there is no share.")


def _item(one: Evidence, found: Found, probe: ProbeSet) -> None:
    """The picture, what was asked and said, the same without what was added or without the picture, the numbers."""
    asked, picture = probe.questions[one.question], probe.pictures[one.picture]
    says = f"says **{markdown(one.answer)}**"
    if one.truth:
        says += f", true is **{markdown(one.truth)}**" if one.truth != one.answer else ", which is true"
    without = []
    if found.items is not None:
        items = found.items
        same = items[(items["picture"] == one.picture + 1) & (items["question"] == asked)].iloc[0]
        if one.text != asked:
            without.append(f"without the added words: {markdown(str(same['answer']))}")
        without.append(f"without the picture: {markdown(str(same['without the picture']))}")
    numbers = [
        f"{name.replace('_', ' ')} {markdown(value) if isinstance(value, str) else f'{value:.3f}'}"
        for name, value in one.numbers.items()
    ]
    link = f"[Open in Inspect]({inspect_link(found.card.model, picture, one.text)})"
    left, right = st.columns([1, 3.2], gap="small")
    left.image(shown(picture)[0], width="stretch", alt=f"Picture {one.picture + 1}")
    lines = [f"“{markdown(one.text)}” {says}", *without, " · ".join(numbers), link]
    right.markdown(":small[" + "]  \n:small[".join(lines) + "]")


def shown(picture: Picture) -> tuple[Image.Image, Source]:
    """A picture as it is shown small, and as Inspect is given it; made once for the same contents."""
    if isinstance(picture, Scene):
        return draw_scene(picture, SIDE), Source.of_scene(picture)
    which = (str(picture), str(os.stat(picture).st_mtime_ns)) if isinstance(picture, Path) else picture_key(picture)
    if which not in _shown:
        image = as_image(picture)
        small = image.copy()
        small.thumbnail((SIDE, SIDE))
        source = Source.of_file(picture.read_bytes() if isinstance(picture, Path) else encode_png(image))
        _shown[which] = small, source
        while len(_shown) > MOST_SHOWN:
            _shown.popitem(last=False)
    return _shown[which]


def inspect_link(model: str, picture: Picture, question: str) -> str:
    """The address of Inspect with this item, in a tab of its own."""
    _, source = shown(picture)
    where = "scene" if source.kind == "scene" else "picture"
    return f"./?model={quote(model)}&q={quote(question)}&{where}={quote(source.text)}"
