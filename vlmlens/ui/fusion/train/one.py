"""One run: what it came to, its curves, what to take away."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from vlmlens.lab.runs import Run
from vlmlens.lab.training.loop import Point
from vlmlens.ui.fusion.train import curves, kept, listing, steer, work
from vlmlens.ui.fusion.train.say import between, percent
from vlmlens.ui.save import save_all


def draw(run: Run) -> None:
    """A run in training or not; called again and again while it is."""
    points = kept.points(run)
    shown = curves.of(run.plan, points)
    mine = work.find(run.name)
    going = mine is not None and mine.going
    if not going:
        _head(run)
        if mine is not None:
            steer.ended(mine)
    if going and not points:
        st.caption("The first step makes the questions and their pictures; curves appear when it is done.")
    curves.draw(shown)
    found = curves.measured(points)[1]
    if found:
        kinds = ", ".join(f"{kind} {percent(value)}" for kind, value in found[-1].by_kind.items())
        each = found[-1].n // len(found[-1].by_kind)
        st.caption(f"Right by kind of question: {kinds}. Of about {each} each: known to ± {98 / each**0.5:.0f} points.")
    if points and not going:
        save_all(
            f"training-{run.name}",
            {one.measure: one.figure for one in shown},
            {"run": run.name, "plan": run.plan.to_dict(), "card": run.card(), "curve": [numbers(p) for p in points]},
            frame(points),
            f"run:{run.name} · {run.plan.wiring} · {len(points)} of {run.plan.steps} steps · seed {run.plan.seed}",
        )


def _head(run: Run) -> None:
    """What it is, what it can do on questions it was never measured on before, and what can be done with it."""
    plan = run.plan
    words, buttons = st.columns([3, 2], vertical_alignment="center")
    tokens = f"{plan.side**2} image token" + ("" if plan.side == 1 else "s")
    words.markdown(
        f"**{run.name}** · {plan.wiring}, width {plan.width}, {tokens}, seed {plan.seed} · {listing.told(run)}"
    )
    with buttons.container(horizontal=True, horizontal_alignment="right"):
        listing.actions(run)
    card = run.card()
    if card is not None:
        held, novel = card["held_out"], card["never_seen_pairs"]
        right = f"**{percent(held['accuracy'], 1)}** ({between(held['accuracy_interval'], 1)})"
        blind = f"{percent(held['accuracy_blind'], 1)} ({between(held['accuracy_blind_interval'], 1)})"
        never = f"{percent(novel['accuracy'], 1)} ({between(novel['interval'], 1)})"
        st.markdown(
            f"Finished, it is right in {right} of {held['n']:,} questions of the test split, in {blind} with an empty "
            f"board, and in {never} of {novel['n']:,} about pairs of color and shape that it was never shown."
        )


def numbers(point: Point) -> dict[str, Any]:
    """A point as data."""
    found = point.measured
    return {"step": point.step, "loss": point.loss, "added": point.added, "seconds": point.seconds} | (
        {} if found is None else {"measured": found.to_dict()}
    )


def frame(points: Sequence[Point], name: str = "") -> pd.DataFrame:
    """A row a step; what was measured only now and then is empty in between."""
    rows = []
    for point in points:
        row: dict[str, Any] = {"run": name} if name else {}
        row |= {"step": point.step, "loss": point.loss, "added": point.added, "seconds": point.seconds}
        found = point.measured
        if found is not None:
            low, high = found.interval
            row |= {"accuracy": found.accuracy, "accuracy_low": low, "accuracy_high": high, "blind": found.blind}
            row |= {"image_share_behavior": found.image_share, "image_share_gradient": found.gradient_share}
            row |= {f"gradient_{group}": norm for group, norm in found.gradients.items()}
            for layer, pair in enumerate(found.gates, start=1):
                if pair is not None:
                    row |= {f"gate_{layer}_attention": pair[0], f"gate_{layer}_feed_forward": pair[1]}
        rows.append(row)
    return pd.DataFrame(rows)
