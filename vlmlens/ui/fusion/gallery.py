"""Gallery: every wiring by family, what it is, what it costs, what it reaches, and what is said of it."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from vlmlens import charts
from vlmlens.information.claims import Measured, judge
from vlmlens.lab.cards import BAR, Cards
from vlmlens.lab.cost import Cost, milliseconds
from vlmlens.lab.diagram import Diagram, declared
from vlmlens.lab.fusion import WIRINGS
from vlmlens.lab.model import LabModel
from vlmlens.lab.questions import KINDS
from vlmlens.progress import Progress
from vlmlens.ui.fusion import gallery_words as words
from vlmlens.ui.fusion import known
from vlmlens.ui.fusion.gallery_bits import bits
from vlmlens.ui.fusion.gallery_training import curve, gates, opening
from vlmlens.ui.jobs import result
from vlmlens.ui.look import chart, guard, titled
from vlmlens.ui.save import save_all

NONE = "none of them"
BADGES = {"confirmed": "✓", "contradicted": "✕", "cannot say": "~", "not measured": "○"}


def draw() -> None:
    measured = known.measured()
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    with left:
        wiring = str(
            st.segmented_control(
                "Wiring",
                known.NAMES,
                default="gated",
                key="gallery-wiring",
                bind="query-params",
                required=True,
                help="In order: early (one sequence), mid (streams that look at each other), late (they never meet).",
            )
        )
    with right:
        first = st.toggle(
            "Predict first",
            key="gallery-predict",
            bind="query-params",
            help="For a class: accuracy by kind of question, and all that gives it away, is hidden until you have "
            "chosen which kind this wiring will fail.",
        )
    guess = st.session_state.get(f"gallery-guess-{wiring}") if first else None
    hidden = first and guess is None
    _overview(measured, hidden or first)
    if first:
        guess = _predict(wiring)
        hidden = guess is None
    _one(wiring, measured, guess, hidden)


def _overview(measured: Measured, hidden: bool) -> None:
    """All of them at once; a click on a column's head sorts."""
    st.caption("All wirings; a click on a heading sorts. Accuracy: mean over seeds [95 % interval].")
    rows = []
    for name in known.NAMES:
        cost, cards = measured.costs[name], measured.cards[name]
        accuracy, blind, kinds = cards.accuracy, cards.blind, cards.by_question
        weakest = min(kinds, key=lambda kind: kinds[kind].value) if kinds else None
        row = {
            "wiring": name,
            "family": WIRINGS[name].family,
            "parameters": cost.parameters,
            "trained": 100 * cost.share,
            "million multiply-adds": cost.multiply_adds / 1e6,
            "accuracy": accuracy.value if accuracy else None,
            "interval": f"[{accuracy.low:.3f}, {accuracy.high:.3f}]" if accuracy else "n/a",
            "blind": blind.value if blind else None,
            "seeds measured": f"{len(cards.cards)} of {cards.count}",
        }
        if not hidden:
            row["weakest"] = f"{weakest} {kinds[weakest].value:.2f}" if weakest else "n/a"
        rows.append(row)
    st.dataframe(
        pd.DataFrame(rows),
        width="stretch",
        hide_index=True,
        height=35 * (len(rows) + 1) + 3,
        column_config={
            "trained": st.column_config.NumberColumn(format="%.0f %%", help=words.COST[1]),
            "parameters": st.column_config.NumberColumn(format="localized"),
            "million multiply-adds": st.column_config.NumberColumn(format="%.1f", help=words.COST[1]),
            "accuracy": st.column_config.NumberColumn(format="%.3f", help=words.ACCURACY[1]),
            "blind": st.column_config.NumberColumn(format="%.3f", help="Accuracy on an empty board."),
        },
    )


def _predict(wiring: str) -> str | None:
    """What the class believes; what was measured stays hidden until it has chosen."""
    with st.container(border=True):
        chosen = st.pills(
            f"Which kind of question will {wiring} fail most?",
            [*KINDS, NONE],
            key=f"gallery-guess-{wiring}",
            help="Think of what has met what when the answer is read. Choose, and the numbers appear.",
        )
        return None if chosen is None else str(chosen)


def _one(wiring: str, measured: Measured, guess: str | None, hidden: bool) -> None:
    row, cards, cost = WIRINGS[wiring], measured.cards[wiring], measured.costs[wiring]
    seeds = known.trained(wiring)
    found = known.drawn(wiring, seeds[0] if seeds else None)
    picture, numbers = st.columns([2, 1.1], gap="large")
    with picture:
        titled(f"**{wiring}** ({row.family}). {row.sentence}", words.DIAGRAM)
        figure = charts.wiring_diagram(found)
        chart(figure)
        _checked(wiring, found, seeds)
    with numbers:
        titled(_cost_sentence(cost), words.COST)
        _facts(cards, cost)
        _time(wiring)
    left, right = st.columns([1.1, 1], gap="large")
    figures = {"diagram": figure}
    with left:
        if hidden:
            st.info("Choose above which kind of question it will fail; then the numbers appear.")
        elif cards.by_question:
            titled(_accuracy_sentence(cards, guess), words.ACCURACY)
            figures["accuracy"] = charts.by_kind(cards.by_question, BAR, guess)
            chart(figures["accuracy"])
            st.caption(next(iter(cards.by_question.values())).how.split(",")[0] + f" · {cards.told}")
        else:
            st.info(f"n/a: {cards.told}. `vlmlens train lab:{wiring}` trains seed 0, and with `--card` it is measured.")
    with right:
        titled("**What is said of it, and what was measured**", words.LITERATURE)
        st.markdown(
            f"*Known as* {row.known_as}.  \n*Said to be best for*: {row.best_for}  \n*Said not to*: {row.cannot}"
        )
        if not hidden:
            judged = judge(wiring, measured)
            st.markdown(f"{BADGES[judged.word]} {judged.sentence}")
            if ceiling := cards.ceiling_told():
                st.markdown(f"*Its ceiling.* {ceiling}")
    left, right = st.columns([1.1, 1], gap="large")
    with left, guard():
        bits(wiring)
    with right, guard():
        gates(wiring, found, seeds)
        opening(wiring, cards)
        curve(wiring, cards)
    if hidden:
        return
    frame = pd.DataFrame(
        [
            {"kind": kind, "accuracy": each.value, "low": each.low, "high": each.high, "seeds": each.seeds}
            for kind, each in cards.by_question.items()
        ]
    )
    data = {"wiring": wiring, "cost": cost.to_dict(), "cards": cards.to_dict(), "diagram": found.to_dict()}
    save_all("gallery", figures, data, frame, f"lab:{wiring}")


def _checked(wiring: str, found: Diagram, seeds: Sequence[int]) -> None:
    """Whether the modules do what the registry says, and of which model they are."""
    of = f"the trained lab:{wiring}@{seeds[0]}" if seeds else "the untrained wiring; its weights are not here yet"
    count = len(found.attentions)
    if set(found.edges) == set(declared(WIRINGS[wiring])):
        st.caption(
            f"Read from {count} attention modules in one pass of {of}: {len(found.edges)} edges, as the registry says. "
            "Picture orange, words blue, latents yellow; dotted: carried on."
        )
    else:
        st.warning(f"The modules of {of} are wired otherwise than the registry says; the diagram shows the modules.")


def _cost_sentence(cost: Cost) -> str:
    return (
        f"**{cost.parameters:,}** parameters, {100 * cost.share:.0f} % of them trained; a question costs "
        f"**{cost.multiply_adds / 1e6:.1f} million** multiply-adds."
    )


def _facts(cards: Cards, cost: Cost) -> None:
    accuracy, blind = cards.accuracy, cards.blind
    steps = ", ".join(str(card.steps) for card in cards.cards)
    minutes = ", ".join(f"{card.seconds / 60:.1f}" for card in cards.cards)
    lines = [
        ("accuracy", f"{accuracy}" if accuracy else f"n/a: {cards.told}"),
        ("blind", f"{blind}; the prior allows {cards.ceiling:.3f}" if blind else "n/a"),
        ("encoders", f"{cost.encoders:,} parameters, {cost.encoding / 1e6:.1f} M multiply-adds, frozen"),
        ("fusion", f"{cost.fusion:,} parameters, {cost.fusing / 1e6:.2f} M multiply-adds"),
        ("readout", f"{cost.readout:,} parameters, {cost.reading / 1e6:.2f} M multiply-adds"),
        ("attention", f"{100 * cost.attention / cost.multiply_adds:.0f} % of all multiply-adds (scores and mixing)"),
        ("training", f"{steps} steps, {minutes} minutes, by seed" if cards.cards else "n/a"),
    ]
    st.markdown(
        "\n".join(
            ["| | of 48 x 48 pixels, five words |", "|---|---|", *(f"| {name} | {told} |" for name, told in lines)]
        )
    )


def _time(wiring: str) -> None:
    """Milliseconds, when a person asks: they hold for this machine, as busy as it is now."""
    pressed = st.button("Measure milliseconds here", key=f"gallery-time-{wiring}")
    if not pressed and st.session_state.get("gallery-timed") != wiring:
        return
    st.session_state["gallery-timed"] = wiring

    def work(progress: Progress) -> tuple[float, float, float]:
        return milliseconds(LabModel(wiring).requires_grad_(False).eval(), progress=progress)

    with guard():
        middle, low, high = result(("fusion", "milliseconds", wiring), f"Timing lab:{wiring}", work)
        st.caption(
            f"Median **{middle:.1f} ms** a question, the middle half {low:.1f} to {high:.1f} ms: one thread of this "
            "machine, as busy as it was; one question at a time."
        )


def _accuracy_sentence(cards: Cards, guess: str | None) -> str:
    short, kinds = cards.short(), cards.by_question
    open_ = [kind for kind, each in kinds.items() if each.against(BAR) == "cannot say"]
    falls = ", ".join(f"{kind} {kinds[kind]}" for kind in short)
    bar = f"falls short of {100 * BAR:.0f} %"
    told = f"It {bar} on {falls}." if short else f"No kind of question {bar}."
    if open_:
        told += f" Cannot say for {', '.join(open_)}."
    if guess is None:
        return told
    worst = min(kinds, key=lambda kind: kinds[kind].value)
    right = guess in short or (guess == NONE and not short)
    return f"{'✓ As predicted' if right else '✕ Not as predicted'} ({guess}; lowest: {worst}). {told}"
