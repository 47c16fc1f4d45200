"""Several runs in the same charts, on the same axes, and what they came to in a table."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import streamlit as st

from vlmlens import charts
from vlmlens.charts.training import Line
from vlmlens.lab.runs import Run
from vlmlens.lab.training.watch import Measured, blind_ceiling
from vlmlens.ui.fusion.train import curves, kept, listing, one, words
from vlmlens.ui.fusion.train.curves import EVENLY, NAN, Shown
from vlmlens.ui.fusion.train.say import between, percent
from vlmlens.ui.save import save_all


def draw(runs: Sequence[Run]) -> None:
    shown = of(runs)
    curves.draw(shown)
    table = listing.table(runs)
    st.dataframe(table, width="stretch", hide_index=True)
    names = " ".join(run.name for run in runs)
    points = {run.name: kept.points(run) for run in runs}
    save_all(
        "training-compared",
        {each.measure: each.figure for each in shown},
        {
            "runs": [
                {
                    "run": run.name,
                    "plan": run.plan.to_dict(),
                    "card": run.card(),
                    "curve": [one.numbers(point) for point in points[run.name]],
                }
                for run in runs
            ]
        },
        pd.concat([one.frame(points[run.name], run.name) for run in runs], ignore_index=True),
        f"training runs compared · {names}",
    )


def of(runs: Sequence[Run]) -> list[Shown]:
    """A chart a measure, a line a run."""
    steps = max(run.plan.steps for run in runs)
    points = {run.name: kept.points(run) for run in runs}
    found = {name: curves.measured(own) for name, own in points.items()}

    def lines(value: Callable[[Measured], float | None]) -> list[Line]:
        values = {name: [value(one) for one in own] for name, (_, own) in found.items()}
        return [
            Line(name, found[name][0], [NAN if one is None else one for one in own]) for name, own in values.items()
        ]

    right = [
        Line(
            name,
            at,
            [one.accuracy for one in own],
            [one.interval[0] for one in own],
            [one.interval[1] for one in own],
        )
        for name, (at, own) in found.items()
    ]
    losses = [Line(run.name, *curves.thinned(points[run.name], steps)[:2]) for run in runs]
    ceiling = blind_ceiling()
    figure = charts.training
    shown = [
        Shown("accuracy", _right(found), figure("accuracy", right, steps, (ceiling, "never looking")), words.ACCURACY),
        Shown("loss", _loss(losses), figure("loss", losses, steps, (EVENLY, "guessing evenly")), words.LOSS),
        _shown(
            "image share", "By behavior, the image share", lines(lambda m: m.image_share), steps, words.SHARE, percent
        ),
        _shown(
            "gradients",
            "The norm of the gradient of the new layers",
            lines(lambda m: m.gradients.get("new") or None),
            steps,
            words.GRADIENTS,
            "{:.2g}".format,
        ),
    ]
    if any(pair is not None for _, own in found.values() for one in own for pair in one.gates):
        opened = lines(_opened)
        shown.append(
            _shown("gates", "The mean opening of the gates", opened, steps, words.GATES, lambda gate: f"{gate:.2f}")
        )
    return shown


def _opened(found: Measured) -> float | None:
    known = [abs(gate) for pair in found.gates if pair is not None for gate in pair]
    return float(np.mean(known)) if known else None


def _right(found: dict[str, tuple[list[int], list[Measured]]]) -> str:
    """Whether the last accuracies of the best two can be told apart."""
    last = {name: (at[-1], own[-1]) for name, (at, own) in found.items() if own}
    if len(last) < 2:
        return "Fewer than two of them have been measured yet."
    best, second, *_ = sorted(last, key=lambda name: -last[name][1].accuracy)
    (step, one), (_, other) = last[best], last[second]
    told = (
        f"{best} is right in {percent(one.accuracy)} ({between(one.interval)}) of {one.n} held-out "
        f"questions after {step:,} steps, {second} in {percent(other.accuracy)} ({between(other.interval)}) "
        f"after {last[second][0]:,}"
    )
    apart = one.interval[0] > other.interval[1]
    return told + (
        ": their intervals do not touch, with one seed each."
        if apart
        else ": **inconclusive**, their intervals overlap."
    )


def _loss(lines: Sequence[Line]) -> str:
    ends = ", ".join(f"{line.name} {line.values[-1]:.2f}" for line in lines if line.values)
    return f"Loss in nats at the end so far: {ends or 'nothing yet'}. Each on the questions that its own plan draws."


def _shown(
    measure: str, what: str, lines: Sequence[Line], steps: int, help_: tuple[str, str], form: Callable[[float], str]
) -> Shown:
    known = {line.name: [value for value in line.values if value == value] for line in lines}
    ends = ", ".join(f"{name} {form(values[-1])}" if values else f"{name} n/a" for name, values in known.items())
    return Shown(measure, f"{what}: {ends}.", charts.training(measure, lines, steps), help_)
