"""The left part of Train: what is to be trained, and how."""

import streamlit as st

from vlmlens.lab.fusion import WIRINGS
from vlmlens.lab.pitfalls import REMEDIES
from vlmlens.lab.positions import POSITIONS
from vlmlens.lab.questions import KINDS
from vlmlens.lab.vision import HEADS
from vlmlens.ui.fusion.train import wanted
from vlmlens.ui.fusion.train.wanted import LABELS, key


def draw() -> None:
    """The widgets; `wanted.plan` reads them."""
    st.segmented_control(
        "Recipe",
        wanted.CHOICES["recipe"],
        key=key("recipe"),
        required=True,
        on_change=wanted.take_recipe,
        help="**Quick**: 300 steps of 128 questions, about a minute on a laptop; enough to see what a choice does. "
        "**Full**: as the shipped models were trained, several minutes.",
    )
    st.selectbox("Wiring", list(WIRINGS), key=key("wiring"), on_change=wanted.take_recipe)
    wiring = WIRINGS[st.session_state[key("wiring")]]
    st.caption(wiring.sentence)
    steps, seed = st.columns(2)
    _whole(steps, "steps", "Updates of the weights.")
    _whole(seed, "seed", "Of the first weights, of the questions and of their order. The same seed gives the same run.")
    with st.expander("What does it practice?"):
        _questions()
    with st.expander("How large is it, and how many tokens?"):
        _size(bool(wiring.latents), wiring.latents)
    with st.expander("What learns, and how fast?"):
        _rates()
    if REMEDIES:
        with st.expander("With which remedies?"):
            _remedies()


def _whole(place: object, name: str, told: str, step: int = 1) -> None:
    place.number_input(LABELS[name], step=step, key=key(name), help=told)  # type: ignore[attr-defined]


def _questions() -> None:
    st.slider(
        LABELS["prior"],
        0.0,
        1.0,
        step=0.05,
        key=key("prior"),
        help="With this probability a question gets its preferred answer, otherwise any that is possible. At 1 the "
        "question alone tells the answer, and nothing teaches the model to look.",
    )
    st.markdown(
        "How often each kind of question comes",
        help="**Data mix**\n\nOdds: a kind with 2 comes twice as often as one with 1, and one with 0 never. The kinds "
        "learnt last are relation and count. *Held-out questions hold all kinds evenly, whatever is practiced.*",
    )
    left, right = st.columns(2)
    for place, kind in enumerate(KINDS):
        (right if place % 2 else left).number_input(kind, step=0.5, key=key(f"mix-{kind}"), format="%g")
    batch, pool = st.columns(2)
    _whole(batch, "batch", "One update is computed from so many questions.", 32)
    _whole(pool, "pool", "Questions with their scenes that are drawn once; after all were seen they come again.", 1000)


def _size(latent: bool, usual: int) -> None:
    _whole(
        st,
        "width",
        f"Numbers in a state of fusion and readout; shared among {HEADS} heads. The encoders stay 64 wide.",
        16,
    )
    st.segmented_control(
        LABELS["side"],
        wanted.SIDES,
        key=key("side"),
        required=True,
        help="The encoder's 6 x 6 patches are averaged to so many a side: 6 keeps all 36, 1 leaves one token for the "
        "whole picture. The board has 3 x 3 cells.",
    )
    if latent:
        st.select_slider(
            LABELS["latents"],
            wanted.CHOICES["latents"],
            key=key("latents"),
            format_func=lambda count: f"{usual}, as usual" if count == wanted.AS_IT_SAYS else str(count),
            help="Learned queries that gather what they need, and pass it on.",
        )
    st.selectbox(
        LABELS["positions"],
        list(POSITIONS),
        key=key("positions"),
        help="How attention is told where a token stands.",
    )


def _rates() -> None:
    told = {
        "rate_new": "Of fusion and readout, which begin at random.",
        "rate_projection": "Of the entrances, which bring the encoders' features into the fusion. 0: frozen.",
        "rate_pretrained": "Of both encoders, which are trained already. 0: frozen, as shipped. Where they learn, "
        "every step runs them again and takes several times as long.",
    }
    for name, help_ in told.items():
        st.number_input(LABELS[name], step=1e-4, format="%g", key=key(name), help=f"{help_} AdamW, highest rate.")
    left, right = st.columns(2)
    left.number_input(
        LABELS["warm_up"],
        step=0.05,
        format="%g",
        key=key("warm_up"),
        help="The part of the steps over which the rates rise to their highest; from there they fall along a cosine.",
    )
    right.number_input(
        LABELS["clip"],
        step=0.5,
        format="%g",
        key=key("clip"),
        help="A gradient whose norm is larger is shortened to this norm. The chart shows norms before that.",
    )
    left.number_input(LABELS["decay"], step=0.01, format="%g", key=key("decay"), help="AdamW's pull towards zero.")


def _remedies() -> None:
    st.multiselect(
        "Remedies",
        list(REMEDIES),
        key=key("remedies"),
        placeholder="None",
        help="\n".join(
            f"- **{name}**, against {remedy.against}: {remedy.sentence}" for name, remedy in REMEDIES.items()
        ),
    )
    for name in st.session_state[key("remedies")]:
        remedy = REMEDIES[name]
        st.slider(f"Strength of {name}", float(remedy.low), float(remedy.high), key=key(f"strength-{name}"))
