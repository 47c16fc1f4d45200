"""The Q-Former's three losses, each beside its mask, and what aligning it first is worth; measured, or trained here."""

from collections.abc import Iterator, Sequence

import pandas as pd
import streamlit as st

from vlmlens import charts
from vlmlens.lab.masks import MASKS
from vlmlens.lab.masks_told import over
from vlmlens.lab.two_stages import VARIANTS, Found, Schedule, run
from vlmlens.lab.two_stages_found import found_again, not_learnt, sentence, shipped, summaries, worth
from vlmlens.progress import Progress
from vlmlens.threads import one_thread
from vlmlens.ui.fusion.masks import HELP as MASK
from vlmlens.ui.jobs import live
from vlmlens.ui.look import chart, titled
from vlmlens.ui.save import save_all

SMALL = Schedule(read=12_000, pool=3_000, tested=512, reader=400, align=120, connect=100, every=10)
WORDS = ["a", "red", "circle", "left", "of", "a", "blue", "square"]
LOSSES = {"ITC": "itc", "ITM": "itm", "ITG": "itg"}
ASKED = {
    "ITC": "Which sentence of the batch is this picture's? Each picture's queries, each sentence's first word, one "
    "cosine: that of the query that fits best.",
    "ITM": "Do this picture and this sentence belong together? The wrong ones are drawn from the batch, the more alike "
    "the more often, so that a look at one thing is not enough.",
    "ITG": "What is the next word? The sentence is said from the queries alone.",
}
HELP = (
    "Two stages",
    "Pictures of two things; the sentence tells of both and of how they stand (“a red circle left of a blue square”); "
    "questions on color, shape, presence and relation. A small causal reader learns from sentences alone to answer, "
    "and is then frozen. Stage 1 trains the Q-Former on ITC + ITM + ITG over the frozen eyes; stage 2 puts its eight "
    "outputs, through one linear projection, in the place of the sentence (BLIP-2, Li et al., ICML 2023). Every "
    "variant gets the same number of steps of stage 2. Accuracy on held-out pictures; interval: 95 % of the mean over "
    "training seeds (Student's t). *It cannot tell* how a large language model would fare, which forgives more; nor "
    "what longer training would mend.",
)
MODES = ("Measured", "Train here, in small")


def draw() -> None:
    mode = st.segmented_control(
        "Source", MODES, key="stages-source", default=MODES[0], required=True, label_visibility="collapsed"
    )
    if mode == MODES[1]:
        seed = int(st.number_input("Seed", 0, 9999, 0, key="stages-seed", width=140))
        st.caption(
            f"{SMALL.reader} steps for the reader, {SMALL.align} of stage 1, {SMALL.connect} for every variant of "
            "stage 2: one to two minutes, and less than what was measured had. It stops at once and keeps what it has."
        )
        if st.toggle("Train", key="stages-train"):
            live(
                ("two stages", seed, SMALL),
                f"Training, seed {seed}",
                lambda progress: _quiet(seed, progress),
                lambda found, ended: show([found], "trained here, now") if ended else _growing(found),
            )
        return
    table = shipped()
    if table is None:
        st.info(
            "n/a: the two stages have not been measured yet. `python benchmarks/two_stages.py 0 1 2` measures them in "
            "about a quarter of an hour of one core; or train them here, in small."
        )
        losses([])
        return
    runs = [Found.from_dict(each) for each in table["runs"]]
    show(runs, f"measured by `{table['command']}` on {table['date']}")


def _quiet(seed: int, progress: Progress) -> Iterator[Found]:
    with one_thread("openmp"):
        yield from run(seed, SMALL, progress)


def _growing(found: Found) -> None:
    """What is known while it trains, in a few words: it is drawn several times a second."""
    lines = []
    for name, curve in found.curves.items():
        last = ", ".join(f"{key} {values[-1]:.2f}" for key, values in curve.values.items())
        reached = f" · **{100 * found.accuracy[name]:.0f} %** right" if name in found.accuracy else ""
        lines.append(f"- {name}: {last} nats after {curve.steps[-1]} steps{reached}")
    for name, value in found.accuracy.items():
        if name not in found.curves:
            lines.append(f"- {name}: **{100 * value:.0f} %** right")
    st.markdown("\n".join(lines) or "Scenes and sentences are drawn first.")


def show(runs: Sequence[Found], how: str) -> None:
    """The variants, the losses, the table."""
    found = summaries(runs)
    if not found:
        st.markdown("It was stopped before anything could be measured; what was learnt until then is below.")
        losses(runs)
        return
    figures: dict[str, charts.Figure] = {}
    left, right = st.columns([1.3, 1], gap="large")
    with left:
        titled(sentence(runs), HELP)
        st.markdown(f"{worth(runs)} {found_again(runs)} {not_learnt(runs)}")
        figures["variants"] = charts.variants(found)
        chart(figures["variants"])
        st.caption(f"{how}. Held-out pictures; {len(runs)} training seed{'s' * (len(runs) > 1)}.")
    with right:
        learnt = [name for name in VARIANTS if any(name in run.curves for run in runs)]
        if learnt:
            st.markdown("**Stage 2 on its way**: the loss of the answer, a line a seed")
            figures["stage 2"] = charts.learning(runs, learnt, "loss", "cross-entropy, nats")
            chart(figures["stage 2"])
    figures |= losses(runs)
    frame = pd.DataFrame(
        [
            {
                "variant": name,
                "what is trained": ", ".join(VARIANTS[name].trained) or "nothing",
                "parameters that learn": run.trained.get(name, 0),
                "seed": run.seed,
                "accuracy": run.accuracy[name],
                **run.by_kind[name],
            }
            for run in runs
            for name in run.accuracy
        ]
    )
    st.dataframe(frame, width="stretch", hide_index=True, height=240)
    save_all("two-stages", figures, {"how": how, "runs": [run.to_dict() for run in runs]}, frame, how)


def losses(runs: Sequence[Found]) -> dict[str, charts.Figure]:
    """Each loss of stage 1: what it asks, its mask, its curve."""
    figures = {}
    st.markdown("**Stage 1: three losses, and who may look at whom under each**")
    for column, (name, key) in zip(st.columns(3, gap="medium"), LOSSES.items(), strict=True):
        with column:
            titled(f"**{MASKS[key].title}.** {ASKED[name]}", MASK)
            small, curve = st.columns([1, 1.7], vertical_alignment="bottom")
            with small:
                drawn = charts.mask(over(MASKS[key], WORDS, len(WORDS)), small=True)
                chart(drawn)
            if any("stage 1" in run.curves for run in runs):
                figures[name] = charts.learning(runs, ["stage 1"], name, f"{name}, nats", 150)
                with curve:
                    chart(figures[name])
    st.caption(
        f"Rows ask, columns are looked at: eight queries, then the words “{' '.join(WORDS)}”. Larger, and with your "
        "own question, in Masks. Chance: ln 128 = 4.85 nats for ITC with 128 in a batch, 0.64 for ITM with a third of "
        "the pairs right."
    )
    return figures
