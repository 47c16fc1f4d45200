"""Compression: in how few tokens can a picture be told, what is lost, and what does it cost?"""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from vlmlens import charts
from vlmlens.errors import NotApplicable
from vlmlens.lab.compress import BUDGETS, COMPRESSORS, in_words
from vlmlens.lab.compress.ask import Heard, ask
from vlmlens.lab.compress.measured import COMMAND, Measured, read
from vlmlens.lab.compress.weights import COMMAND as TRAIN
from vlmlens.lab.compress.weights import load_compressed, trained_seeds
from vlmlens.lab.questions import by_text, normalise
from vlmlens.lab.vision import PATCHES
from vlmlens.models.lab import lab_pixels
from vlmlens.ui.ask import pick_folded, type_question
from vlmlens.ui.jobs import result
from vlmlens.ui.look import chart, guard, titled
from vlmlens.ui.request import Request, asked, remember
from vlmlens.ui.save import save_all
from vlmlens.ui.tokens import compression_words as words
from vlmlens.ui.tokens.compression_pairs import pairs
from vlmlens.ui.tokens.compression_picture import answered, survivors

ACROSS = {
    "tokens": "image tokens",
    "attention": "multiply-adds of attention in the fusion",
    "everything": "multiply-adds of fusion and compressor",
}


def draw() -> None:
    request = asked()
    found = read()
    left, middle, right = st.columns([1, 1.15, 1.9], gap="large")
    with left:
        name = str(
            st.selectbox(
                "Compressor", list(COMPRESSORS), index=5, key="compressor", bind="query-params", help=_catalogue()
            )
        )
        row = COMPRESSORS[name]
        keep = _budget(name)
        type_question()
        pick_folded(request, "compression")
        st.caption(f"{row.sentence} *Known as* {row.known_as}. *It throws away*: {row.loses}")
    remember(request)
    heard = None
    figures: dict[str, charts.Figure] = {}
    with middle, guard():
        [heard] = listen(request, (name,), keep, (request.question,))
        answered(heard, request)
        titled(_survives(heard), words.SURVIVES)
        figures["picture"] = survivors(heard, request)
        _notices(request)
    with right, guard():
        figures |= _curve(found, name, keep)
    st.divider()
    with guard():
        pairs(request, name, keep, listen)
    if found is not None:
        st.divider()
        with guard():
            figures |= _tables(found, name, keep)
    data: dict[str, Any] = {"compressor": name, "tokens": keep, "measured": _rows(found) if found else None}
    if heard is not None:
        data["live"] = heard.to_dict()
    if figures:
        frame = pd.DataFrame(_rows(found)) if found else None
        save_all("compression", figures, data, frame, f"{name} · {keep} of {PATCHES} tokens · “{request.question}”")


def listen(request: Request, names: Sequence[str], keep: int, questions: Sequence[str]) -> list[Heard]:
    """What each trained compressor answers to each question; computed once for the same of all these.

    Raises NotApplicable where weights are not here yet.
    """
    if missing := [name for name in names if not trained_seeds(name)]:
        raise NotApplicable(
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not trained yet. `{TRAIN}` trains what is "
            "missing, in about 50 minutes on two cores; it can be stopped and goes on where it was."
        )
    models = [load_compressed(name, trained_seeds(name)[0]) for name in names]
    pixels = lab_pixels(request.source.load())
    return result(
        ("compression", tuple(names), keep, request.source, tuple(questions)),
        f"Asking {' and '.join(names)} with {in_words(keep)}",
        lambda progress: [ask(model, pixels, question, keep) for model in models for question in questions],
    )


def _budget(name: str) -> int:
    """The slider of tokens; all that this compressor can."""
    budgets = COMPRESSORS[name].budgets
    if len(budgets) == 1:
        st.caption(f"{name} keeps all {budgets[0]} patches.")
        return budgets[0]
    return int(
        st.select_slider(
            "Image tokens",
            sorted(BUDGETS),
            value=4,
            key="tokens-kept",
            bind="query-params",
            help=f"Of {PATCHES} patches. One model serves all of these: each step of its training drew one.",
        )
    )


def _notices(request: Request) -> None:
    if request.source.foreign_to_the_lab():
        st.warning(
            "Lab models know only lab scenes and this is not one: it was brought to 48 x 48 pixels, and the answer "
            "means nothing about it.",
            icon=":material/info:",
        )
    elif normalise(request.question) not in by_text():
        st.info("Lab models never saw a question of this wording; what they answer to it means little.")


def _survives(heard: Heard) -> str:
    """What is told of the picture, in a sentence."""
    row = COMPRESSORS[heard.compressor]
    tokens = in_words(heard.keep)
    if row.selects:
        return f"**{heard.keep} of {PATCHES}** patches stay, each whole; of **{heard.left_out}** nothing is told."
    if heard.left_out:
        return f"In {tokens}; of **{heard.left_out} of {PATCHES}** patches nothing is told."
    return f"In {tokens}; no patch is left out, and **{heard.half} of {PATCHES}** patches have half of the telling."


def _curve(found: Measured | None, name: str, keep: int) -> dict[str, charts.Figure]:
    """Accuracy against what is across, with its sentence; where nothing was measured, how to measure it."""
    if found is None:
        st.info(
            f"n/a: no compressor is measured yet. `{COMMAND}` trains and measures all of them, in about 50 minutes "
            "on two cores; it can be stopped and goes on where it was."
        )
        return {}
    across = str(
        st.segmented_control(
            "Against", list(ACROSS), default="tokens", key="compression-across", bind="query-params", required=True
        )
    )
    titled(sentence(found, name, keep), words.MEASURED)
    if across != "tokens":
        titled(cost_sentence(found, name, keep, across), words.COST)
    figure = charts.compression(
        charts.compressed(found, across), name, ACROSS[across], floor=found.about.get("floor"), cost=across != "tokens"
    )
    chart(figure)
    seeds = {each: len(found.of(each)) for each in found.compressors}
    fewest = min(seeds.values())
    missing = [each for each in COMPRESSORS if each not in seeds]
    told = f"{found.n:,} held-out questions; dashed: the accuracy that needs no picture."
    told += f" {fewest} seeds each." if len(set(seeds.values())) == 1 else f" {fewest} to {max(seeds.values())} seeds."
    if missing:
        told += f" Not measured yet: {', '.join(missing)}; `{COMMAND}` goes on."
    st.caption(told)
    return {"accuracy": figure}


def sentence(found: Measured, name: str, keep: int) -> str:
    """The accuracy of the chosen one with its doubt, against all patches and against chance."""
    own = found.accuracy(name, keep)
    if own is None:
        return f"**{name}** with {in_words(keep)} is not measured yet: `{COMMAND}` goes on where it was."
    told = (
        f"With **{keep} of {PATCHES}** tokens **{name}** answers **{own.value:.3f}** [{own.low:.3f}, {own.high:.3f}] "
        f"of the questions rightly ({own.seeds} seed{'s' * (own.seeds != 1)})"
    )
    against = (("none", PATCHES, "with all patches"), ("random pruning", keep, "with patches kept by chance"))
    parts = []
    for other, tokens, what in against:
        gap = found.difference(name, other, keep, tokens)
        if gap is None or other == name or (other == "random pruning" and keep == PATCHES):
            continue
        parts.append(f"{gap} {_than(gap.word)} {what}")
    return f"{told}: {'; '.join(parts)}." if parts else f"{told}."


def _than(word: str) -> str:
    return "(cannot say whether more or less) than" if word == "cannot say" else f"({word}) than"


def cost_sentence(found: Measured, name: str, keep: int, across: str) -> str:
    own, whole = found.costs.get((name, keep)), found.costs.get(("none", PATCHES))
    if own is None or whole is None:
        return "What it costs was not counted yet."
    mine, all_ = (own.attention, whole.attention) if across == "attention" else (own.total, whole.total)
    what = "Attention in the fusion" if across == "attention" else "Fusion and compressor together"
    told = f"{what}: **{mine / 1e6:.2f} million** multiply-adds, **{mine / all_:.2f}** of what {PATCHES} tokens cost"
    if across == "everything" and own.compressing:
        told += f" ({own.compressing / 1e6:.2f} million of them in the compressor)"
    return f"{told}, for a question of {own.words} words."


def _rows(found: Measured) -> list[dict[str, Any]]:
    """All that was measured, flat."""
    made = []
    for dot in charts.compressed(found):
        row = COMPRESSORS[dot.compressor]
        cost = found.costs.get((dot.compressor, dot.tokens))
        made.append(
            {
                "compressor": dot.compressor,
                "reads the words": row.query_aware,
                "tokens": dot.tokens,
                "accuracy": dot.accuracy,
                "low": dot.low,
                "high": dot.high,
                "seeds": dot.seeds,
                "attention": cost.attention if cost else None,
                "fusion": cost.fusing if cost else None,
                "compressor's own": cost.compressing if cost else None,
            }
        )
    return made


def _tables(found: Measured, name: str, keep: int) -> dict[str, charts.Figure]:
    """All numbers, and the chosen one by kind of question."""
    st.markdown("**Every compressor at every budget** (mean over seeds [95 % interval])")
    made = []
    for each in found.compressors:
        cells = {in_words(budget): str(found.accuracy(each, budget) or "n/a") for budget in BUDGETS}
        aware = "yes" if COMPRESSORS[each].query_aware else "no"
        made.append({"compressor": each, "reads the words": aware} | cells)
    st.dataframe(pd.DataFrame(made), width="stretch", hide_index=True, height=35 * (len(made) + 1) + 3)
    left, right = st.columns([1, 1.6], gap="large")
    with left:
        st.markdown(f"**One model for all budgets, or one for each?** {alone(found)}")
    with right:
        by = found.by_question(name, keep)
        if not by:
            st.info(f"n/a: {name} with {in_words(keep)} is not measured yet.")
            return {}
        worst = min(by, key=lambda kind: by[kind].value)
        titled(f"**{name}** with {in_words(keep)} is weakest on **{worst}**: {by[worst]}.", words.KINDS)
        whole = found.accuracy("none", PATCHES)
        figure = charts.by_kind(by, whole.value if whole else 1.0)
        chart(figure)
        st.caption(f"Dashed: all kinds with all {PATCHES} patches." if whole else "None with all patches yet.")
    return {"by kind": figure}


def alone(found: Measured) -> str:
    """Whether one model for all budgets pays for it."""
    told = "One model serves all budgets here; one that was trained for a single budget might do better at it."
    gaps = [(each, keep, found.alone(each, keep)) for each, keep in found.trained_alone]
    parts = [f"{each} at {in_words(keep)}: {gap}, {gap.word}" for each, keep, gap in gaps if gap]
    if not parts:
        return f"{told} Whether it does is not measured yet: `python benchmarks/compression.py --alone`."
    return f"{told} Measured, alone less all: {'; '.join(parts)}."


def _catalogue() -> str:
    """All compressors in a line each."""
    return "\n".join(f"- **{name}**: {row.sentence}" for name, row in COMPRESSORS.items())
