"""Flamingo's mask over two pictures and a text: move the pictures, change one, see which words it reaches."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import streamlit as st
import torch

from vlmlens import charts
from vlmlens.lab.draw import draw as drawn_scene
from vlmlens.lab.draw import render_array
from vlmlens.lab.interleaved import MARKER, Interleaved, change, markers_of, words_of
from vlmlens.lab.masks import MASKS, Layout
from vlmlens.lab.masks_told import over
from vlmlens.lab.scenes import Scene
from vlmlens.lab.weights import load_encoders
from vlmlens.ui.look import chart, titled
from vlmlens.ui.request import address, asked
from vlmlens.ui.save import save_all
from vlmlens.ui.source import examples

NAMES = ("last picture", "all pictures")
TEXT = "is there a star <image> a red circle <image> what color is the star"
PICTURES = 2
TOKENS = 36  # of a lab picture; fewer are drawn
PROOF = (
    "The proof",
    "One gated cross-attention, not trained: the words' vectors ask, the frozen eyes' features of both pictures are "
    "looked at, under the mask above. Then the picture is another one and the layer runs again. Bar: the length of the "
    "change of a word's state, of the state's own length; 0 is 0 bit for bit. What it writes is multiplied by the tanh "
    "of the gate, which training begins at 0 (Flamingo, section 2.2). *It cannot tell* what a trained model would do "
    "with what it sees: only what can reach which word.",
)


def draw() -> None:
    left, right = st.columns([1, 2.6], gap="large")
    with left:
        scenes = _scenes()
        if "flamingo-text" not in st.session_state:  # no default of the widget's own: the buttons set it too
            st.session_state["flamingo-text"] = st.query_params.get("text", TEXT)
        text = st.text_input(
            "Text with two pictures",
            key="flamingo-text",
            max_chars=300,
            help=f"Write {MARKER} twice, where the pictures stand. Lab words only.",
        )
        address({"text": [] if text == TEXT else [str(text)]})
        words = words_of(str(text), PICTURES)
        _move(words)
        shown = int(st.slider("Tokens drawn of each picture", 1, 9, 4, key="flamingo-tokens"))
        st.caption(f"A lab picture has {TOKENS} tokens; all of one picture are treated alike.")
    with right:
        figures = _masks(words, shown)
    _prove(words, scenes, figures)


def _scenes() -> tuple[Scene, Scene]:
    """The two pictures: the one that the pages share, where it is a lab scene, and an example."""
    own = asked().source.scene
    first = own if own is not None and own.things else examples()[0]
    others = [number for number, scene in enumerate(examples(), start=1) if scene != first]
    chosen = int(
        st.segmented_control("Picture 2: example", others, default=others[0], key="flamingo-two", required=True)
    )
    scenes = first, examples()[chosen - 1]
    for number, (column, scene) in enumerate(zip(st.columns(2), scenes, strict=True), start=1):
        shown = ", ".join(map(str, scene.things)) or "nothing"
        column.image(drawn_scene(scene, 144), caption=f"picture {number}", width=120, alt=f"Picture {number}: {shown}")
    return scenes


def _move(words: Sequence[str]) -> None:
    """Buttons that move a marker one word on."""
    for number, place in enumerate(markers_of(words), start=1):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(f"Picture {number}, place {place + 1}", width="content")
            for icon, step, said in (
                (":material/arrow_back:", -1, "earlier"),
                (":material/arrow_forward:", 1, "later"),
            ):
                to = place + step
                st.button(
                    f"{said}",
                    icon=icon,
                    key=f"flamingo-{number}-{said}",
                    disabled=not 0 <= to < len(words) or words[to] == MARKER,
                    on_click=_swap,
                    args=(tuple(words), place, to),
                )


def _swap(words: tuple[str, ...], one: int, other: int) -> None:
    moved = list(words)
    moved[one], moved[other] = moved[other], moved[one]
    st.session_state["flamingo-text"] = " ".join(moved)


def _masks(words: Sequence[str], tokens: int) -> dict[str, charts.Figure]:
    figures = {}
    for column, name in zip(st.columns(2, gap="medium"), NAMES, strict=True):
        drawn = over(MASKS[name], words, tokens)
        with column:
            titled(
                f"**{drawn.mask.title}.** {drawn.mask.sentence}",
                (drawn.mask.title, f"{drawn.mask.paper}. Used by {drawn.mask.used_by}."),
            )
            st.markdown(drawn.sentence())
            figures[name] = charts.mask(drawn)
            chart(figures[name])
    return figures


def _prove(words: Sequence[str], scenes: tuple[Scene, Scene], figures: dict[str, charts.Figure]) -> None:
    """Change one picture and show which words move."""
    st.markdown("**What reaches which word?**")
    left, right = st.columns([1, 2.6], gap="large")
    with left:
        which = int(
            st.segmented_control("Exchange", (1, 2), format_func=lambda n: f"picture {n}", default=1,
                                 key="flamingo-which", required=True)
        ) - 1  # fmt: skip
        name = str(
            st.segmented_control(
                "Under",
                NAMES,
                default=NAMES[0],
                key="flamingo-mask",
                required=True,
                format_func=lambda n: MASKS[n].title,
            )
        )
        gate = float(st.slider("Gate (its tanh multiplies)", 0.0, 2.0, 0.7, 0.1, key="flamingo-gate"))
        itself = st.toggle(
            "Then words look at earlier words", key="flamingo-itself", help="The decoder's own attention."
        )
    layer = Interleaved(gate, name, itself)
    other = next(scene for scene in examples() if scene not in scenes)
    moved = change(layer, [features(scene) for scene in scenes], words, which, features(other)).numpy()
    may = MASKS[name].see(Layout(1, len(words), markers_of(words)))[:, which]
    labels = [spot.label for spot in over(MASKS[name], words, 1).rows]
    with right:
        titled(reach_sentence(labels, moved, may, which + 1, gate, itself), PROOF)
        figure = charts.reached(labels, moved.tolist(), may.tolist())
        chart(figure)
    save_all(
        "flamingo",
        {**figures, "reached": figure},
        {"words": list(words), "exchanged": which + 1, "mask": name, "gate": gate, "moved": moved.tolist()},
        None,
        f"Flamingo's mask · “{' '.join(words)}”",
    )


def reach_sentence(
    words: Sequence[str], moved: np.ndarray, may: np.ndarray, picture: int, gate: float, itself: bool
) -> str:
    """Which words moved with a picture, and whether those are the ones that may look at it."""
    reached = moved > 0
    began = f"Picture {picture} becomes another: **{int(reached.sum())} of {len(words)}** states change"
    if not may.any():
        why = "no word may look at it"
        return f"{began}; {why}." if not reached.any() else f"{began}, though {why}."
    if gate == 0:
        return f"{began}: the gate is shut, tanh(0) = 0, and the layer is the text-only one bit for bit."
    if (reached == may).all():
        return f"{began}, {named(words, reached)}: exactly those that may look at it."
    beyond = reached & ~may
    if itself and beyond.any():
        return (
            f"{began}, {named(words, reached)}; {int(beyond.sum())} of them may not look at it, and have it from the "
            "words before them: through the words' own attention older pictures still come."
        )
    return f"{began}, {named(words, reached)}; {int(may.sum())} may look at it."


def named(words: Sequence[str], chosen: np.ndarray) -> str:
    """The chosen words, from the first to the last where they stand together."""
    places = np.flatnonzero(chosen)
    if not len(places):
        return "none"
    if len(places) == places[-1] - places[0] + 1 and len(places) > 2:
        return f"from “{words[places[0]]}” to “{words[places[-1]]}”"
    return ", ".join(f"“{words[int(place)]}”" for place in places)


@lru_cache(maxsize=32)
def features(scene: Scene) -> torch.Tensor:
    """What the frozen eyes make of a scene, [token, width]."""
    with torch.inference_mode():
        seen: torch.Tensor = load_encoders()[0](torch.from_numpy(render_array(scene)[None]))[0]
    return seen
