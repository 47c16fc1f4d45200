"""Two questions about one picture: what does who reads the words tell of it, and what who does not?"""

from collections.abc import Callable, Sequence

import streamlit as st

from vlmlens.errors import UserError
from vlmlens.lab.compress import COMPRESSORS, in_words
from vlmlens.lab.compress.ask import Heard, overlap
from vlmlens.lab.compress.weights import trained_seeds
from vlmlens.lab.questions import normalise, suggestions
from vlmlens.lab.vision import PATCHES
from vlmlens.ui.look import titled
from vlmlens.ui.request import Request
from vlmlens.ui.tokens import compression_words as words
from vlmlens.ui.tokens.compression_picture import answered, survivors

AWARE = [name for name, row in COMPRESSORS.items() if row.query_aware]
BLIND = [name for name, row in COMPRESSORS.items() if not row.query_aware and row.name != "none"]
OTHER = "how many things are there?"

Listen = Callable[[Request, Sequence[str], int, Sequence[str]], list[Heard]]


def second_question(request: Request) -> str:
    """A question that has an answer on the scene and is another one than the first, of another kind if there is one."""
    scene = request.source.scene
    offers = suggestions(scene, 8) if scene is not None else (OTHER,)
    first = normalise(request.question)
    return next((each for each in reversed(offers) if normalise(each) != first), OTHER)


def pairs(request: Request, name: str, keep: int, listen: Listen) -> None:
    """Two compressors by two questions, and how much of each one's telling the questions share."""
    st.markdown("**Two questions about one picture: what does it tell when it has read them, and when it has not?**")
    ready = [each for each in COMPRESSORS if trained_seeds(each)]
    left, *_ = columns = st.columns([1, 1, 1, 1, 1], gap="medium")
    with left:
        aware = _one("Reads the words", AWARE, name, ready, "compression-aware")
        blind = _one("Reads no word", BLIND, name, ready, "compression-blind")
        second = str(
            st.text_input(
                "Second question",
                second_question(request),
                key="compression-second",
                bind="query-params",
                max_chars=6000,
                help="The first one is the question above.",
            )
        )
    kept = 25 if keep == PATCHES else keep
    if kept != keep:
        left.caption(f"Shown with {kept} tokens: with {PATCHES} there is nothing to choose.")
    if not second.strip():
        raise UserError("The second question is empty; type one to compare with.")
    told = listen(request, (aware, blind), kept, (request.question, second))
    for place, heard in zip(columns[1:], told, strict=True):
        with place:
            st.markdown(f"**{heard.compressor}**  \n{heard.question}")
            answered(heard, request, small=True)
            survivors(heard, request, 210)
    (one, shared), (other, same) = ((each[0].compressor, overlap(*each)) for each in (told[:2], told[2:]))
    titled(
        f"Asked the other question, **{one}** tells **{shared:.2f}** of the same, **{other}** **{same:.2f}**; "
        f"{in_words(kept)} each.",
        words.AWARE,
    )


def _one(label: str, names: list[str], chosen: str, ready: list[str], key: str) -> str:
    """A compressor of one kind: the one that is chosen above where it is of the kind, else one that is trained."""
    methods = [each for each in reversed(names) if not COMPRESSORS[each].control]
    first = chosen if chosen in names else next((each for each in methods if each in ready), methods[0])
    return str(st.selectbox(label, names, index=names.index(first), key=f"{key}-{first}", bind="query-params"))
