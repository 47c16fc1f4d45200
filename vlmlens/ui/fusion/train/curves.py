"""The curves of one run, each under the sentence that says what it shows; the same for a run that still goes on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st

from vlmlens import charts
from vlmlens.charts.figure import AFTER, SEGMENT_COLORS
from vlmlens.charts.training import LINES, Line
from vlmlens.lab.questions import ANSWERS
from vlmlens.lab.training.loop import Point
from vlmlens.lab.training.plan import Plan
from vlmlens.lab.training.watch import Measured, blind_ceiling
from vlmlens.trace import Segment
from vlmlens.ui.fusion.train import words
from vlmlens.ui.fusion.train.say import between, counted, percent
from vlmlens.ui.look import chart, titled

NAN = float("nan")
MOST_DOTS = 120  # of a loss curve; each then is the mean over some steps
GROUPS = {"new": "new layers", "projection": "projections", "pretrained": "pretrained encoders"}
EVENLY = float(np.log(len(ANSWERS)))  # nats


@dataclass(frozen=True)
class Shown:
    """A chart with its sentence and its `?`."""

    measure: str
    sentence: str
    figure: charts.Figure
    help: tuple[str, str]


def measured(points: Sequence[Point]) -> tuple[list[int], list[Measured]]:
    """The steps at which a run was measured, and what was found."""
    known = [(point.step, point.measured) for point in points if point.measured is not None]
    return [step for step, _ in known], [found for _, found in known]


def thinned(points: Sequence[Point], steps: int) -> tuple[list[int], list[float], int]:
    """Middle steps and mean losses of bins of equal width, and that width."""
    wide = max(1, -(-steps // MOST_DOTS))
    places = [points[start : start + wide] for start in range(0, len(points), wide)]
    return (
        [round(float(np.mean([point.step for point in part]))) for part in places],
        [float(np.mean([point.loss for point in part])) for part in places],
        wide,
    )


def of(plan: Plan, points: Sequence[Point]) -> list[Shown]:
    """Everything that there is to see of a run so far."""
    if not points:
        return []
    steps, found = measured(points)
    shown = [loss(plan, points)]
    if found:
        shown = [accuracy(plan, steps, found), *shown, share(plan, steps, found), gradients(plan, steps, found)]
        if any(pair is not None for pair in found[-1].gates):
            shown.insert(2, gates(plan, steps, found))
    return shown


def draw(shown: Sequence[Shown]) -> None:
    """Two in a row; where the screen is narrow, one below the other."""
    for start in range(0, len(shown), 2):
        for place, one in zip(st.columns(2, gap="large"), shown[start : start + 2], strict=False):
            with place:
                titled(one.sentence, one.help)
                chart(one.figure)


def loss(plan: Plan, points: Sequence[Point]) -> Shown:
    steps, values, wide = thinned(points, plan.steps)
    last = points[-25:]
    now = float(np.mean([point.loss for point in last]))
    told = (
        f"The loss began at {points[0].loss:.2f} nats and is {now:.2f} on average over the last "
        f"{counted(len(last), 'step')}; guessing evenly would cost {EVENLY:.2f}."
    )
    lines = [Line("practice questions", steps, values)]
    figure = charts.training("loss", lines, plan.steps, (EVENLY, "guessing evenly"))
    name, text = words.LOSS
    return Shown("loss", told, figure, (name, text + (f"\n\nA dot is the mean over {wide} steps." if wide > 1 else "")))


def accuracy(plan: Plan, steps: Sequence[int], found: Sequence[Measured]) -> Shown:
    ceiling, last = blind_ceiling(), found[-1]
    low = last.interval[0]
    if last.blind_interval[1] < low:
        looks = "it uses the picture"
    elif low > ceiling:
        looks = "more than without looking, though it answers an empty board no worse"
    else:
        looks = "inconclusive: it may not be looking"
    told = (
        f"After {counted(steps[-1], 'step')} it is right in {percent(last.accuracy)} ({between(last.interval)}) of "
        f"{last.n} held-out questions, and in {percent(last.blind)} ({between(last.blind_interval)}) with an empty "
        f"board; a model that never looks could reach {percent(ceiling)}. **{looks[0].upper()}{looks[1:]}.**"
    )
    lines = [
        Line(
            "with the picture",
            steps,
            [one.accuracy for one in found],
            [one.interval[0] for one in found],
            [one.interval[1] for one in found],
            SEGMENT_COLORS[Segment.ANSWER],
        ),
        Line(
            "with an empty board",
            steps,
            [one.blind for one in found],
            [one.blind_interval[0] for one in found],
            [one.blind_interval[1] for one in found],
            SEGMENT_COLORS[Segment.INSTRUCTION],
        ),
    ]
    figure = charts.training("accuracy", lines, plan.steps, (ceiling, "never looking"))
    return Shown("accuracy", told, figure, words.ACCURACY)


def share(plan: Plan, steps: Sequence[int], found: Sequence[Measured]) -> Shown:
    last = found[-1]
    behavior = "n/a, because nothing moves its answers yet" if last.image_share is None else percent(last.image_share)
    gradient = "n/a" if last.gradient_share is None else percent(last.gradient_share)
    told = (
        f"By **behavior** the image share is {behavior}: another picture moves the answers by {last.image_effect:.2f} "
        f"bits, another question by {last.question_effect:.2f}. By **gradient x input** it is {gradient}."
    )
    lines = [
        Line(
            "by behavior",
            steps,
            [NAN if one.image_share is None else one.image_share for one in found],
            color=SEGMENT_COLORS[Segment.IMAGE],
        ),
        Line(
            "by gradient x input",
            steps,
            [NAN if one.gradient_share is None else one.gradient_share for one in found],
            color=LINES[3],
        ),
    ]
    return Shown("image share", told, charts.training("image share", lines, plan.steps), words.SHARE)


def gates(plan: Plan, steps: Sequence[int], found: Sequence[Measured]) -> Shown:
    layers = [number for number, pair in enumerate(found[-1].gates) if pair is not None]
    parts = ("attention", "feed-forward")
    lines = [
        Line(
            f"layer {layer + 1}, {part}",
            [0, *steps],
            [0.0, *(NAN if (pair := one.gates[layer]) is None else abs(pair[which]) for one in found)],
        )
        for layer in layers
        for which, part in enumerate(parts)
    ]
    widest = max(lines, key=lambda line: line.values[-1])
    told = (
        f"All gates begin at 0. After {counted(steps[-1], 'step')} the widest, {widest.name}, is open to "
        f"{widest.values[-1]:.2f} of 1; the narrowest to {min(line.values[-1] for line in lines):.2f}."
    )
    return Shown("gates", told, charts.training("gates", lines[: len(LINES)], plan.steps), words.GATES)


def gradients(plan: Plan, steps: Sequence[int], found: Sequence[Measured]) -> Shown:
    trained = [group for group in GROUPS if any(one.gradients.get(group, 0) > 0 for one in found)]
    lines = [Line(GROUPS[group], steps, [one.gradients.get(group, NAN) for one in found]) for group in trained]
    if any(one.last_cross is not None for one in found):
        lines.append(
            Line(
                "last cross-attention",
                steps,
                [NAN if one.last_cross is None else one.last_cross for one in found],
                color=AFTER if len(lines) != 1 else "",
            )
        )
    frozen = [GROUPS[group] for group in GROUPS if group not in trained]
    now = ", ".join(f"{GROUPS[group]} {found[-1].gradients[group]:.2g}" for group in trained)
    told = f"Norms of the gradient at step {steps[-1]}: {now}; clipped together at {plan.clip:g}." + (
        f" Frozen: {', '.join(frozen)}." if frozen else ""
    )
    return Shown("gradients", told, charts.training("gradients", lines, plan.steps), words.GRADIENTS)
