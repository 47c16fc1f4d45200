"""Before and after as light drawings: a Vega chart takes a tenth of a second to lay out, these take a millisecond.

What is saved is a chart with its axes; see `vlmlens.charts`.
"""

from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np

from vlmlens.charts import SEGMENT_COLORS
from vlmlens.charts.figure import AFTER, BEFORE
from vlmlens.counterfactual.answers import AnswerChange
from vlmlens.counterfactual.compare import BudgetChange
from vlmlens.trace import Segment

SHOWN = 5
HIGH = 116  # pixels of a whole budget
SWING = 44  # pixels of its difference, both ways together
MOST_LABELS = 12  # layers that are numbered one by one

_COLORS = f"--before:{BEFORE};--after:{AFTER};--image:{SEGMENT_COLORS[Segment.IMAGE]}"
STYLE = (
    f"<style>:root{{{_COLORS};--high:{HIGH}px;--swing:{SWING}px}}"
    f"{Path(__file__).with_name('page.css').read_text(encoding='utf-8')}</style>"
)


SIDES = ("before", "after")


def answers(change: AnswerChange, names: tuple[str, str] = SIDES) -> str:
    """A pair of bars an answer; the best of either side carries a mark, so that a flip is seen without its colour."""
    lines = []
    for pair in change.pairs[:SHOWN]:
        first = [pair.candidate == side.candidate for side in (change.before, change.after)]
        bars = "".join(
            f'<div class="bar"><i class="{kind}" style="width:{0 if value != value else 80 * value:.2f}%"></i>'
            f"{_probability(value)}{' ◀ first' if best else ''}</div>"
            for kind, value, best in (("b", pair.before, first[0]), ("a", pair.after, first[1]))
        )
        name = escape(pair.text)
        lines.append(
            f'<div class="name">{f"<b>{name}</b>" if any(first) else name}</div><div class="track">{bars}</div>'
        )
    told = ", ".join(
        f"{pair.text} {_probability(pair.before)} then {_probability(pair.after)}" for pair in change.pairs
    )
    keys = f'<div class="keys"><span>{_key(names, 0)}</span><span>{_key(names, 1)}</span></div>'
    return f'{keys}<div class="pairs" role="img" aria-label="Probabilities: {escape(told)}">{"".join(lines)}</div>'


def _key(names: tuple[str, str], side: int) -> str:
    return f'<i class="{"ba"[side]}"></i>{escape(names[side])}'


def _probability(value: float) -> str:
    return "not named" if value != value else f"{value:.3f}"


def budget(change: BudgetChange, names: tuple[str, str] = SIDES) -> str:
    """Two bars a layer, before and after; below, how much more or less of each layer is the picture's."""
    keys = "".join(
        f'<span><i style="background:{SEGMENT_COLORS[segment]}"></i>{segment.word}</span>'
        for segment in change.segments
    )
    bars = "".join(
        f"<div>{_stack(before, change.segments, 'b')}{_stack(after, change.segments, 'a')}</div>"
        for before, after in zip(change.before, change.after, strict=True)
    )
    numbers = "".join(f"<div>{text}</div>" for text in _numbers(change.labels))
    swings = "".join(f"<div>{_swing(value)}</div>" for value in _of_picture(change))
    return (
        f'<div role="img" aria-label="{escape(_told(change))}"><div class="keys">{keys}'
        f"<span>left {_key(names, 0)}</span><span>right {_key(names, 1)}</span></div>"
        f"{_row((('1', 4), ('.5', HIGH / 2), ('0', HIGH - 4)), 'high', bars)}{_row((), 'numbers', numbers)}"
        f"{_row((('+.5', 5), ('0', SWING / 2), ('−.5', SWING - 5)), 'swing', swings)}"
        f"<div class='keys'>the picture's share: {escape(names[1])} less {escape(names[0])}</div></div>"
    )


def _row(ticks: Sequence[tuple[str, float]], kind: str, plot: str) -> str:
    at = "".join(f'<span style="top:{top}px">{text}</span>' for text, top in ticks)
    return f'<div class="layers"><div class="at">{at}</div><div class="plot {kind}">{plot}</div></div>'


def _stack(share: np.ndarray, segments: Sequence[Segment], side: str) -> str:
    """One bar, the first segment lowest as on the other pages, on a foot in the colour of before or after."""
    parts = [
        f'<i style="height:{100 * value:.2f}%;background:{SEGMENT_COLORS[segment]}" '
        f'title="{segment.word} {value:.3f}"></i>'
        for segment, value in zip(segments, share.tolist(), strict=True)
        if value == value
    ]
    return f'<span class="stack {side}">{"".join(parts) or "<em>n/a</em>"}</span>'


def _of_picture(change: BudgetChange) -> np.ndarray:
    if Segment.IMAGE in change.segments:
        return change.of(Segment.IMAGE)
    return np.full(len(change.labels), np.nan)


def _swing(value: float) -> str:
    """The picture's share after less before, drawn from -0.5 to 0.5."""
    if value != value or abs(value) < 0.0005:
        return ""
    length = 100 * min(abs(value), 0.5)
    place = f"bottom:50%;height:{length:.2f}%" if value >= 0 else f"top:50%;height:{length:.2f}%"
    return f'<i style="{place}" title="picture {value:+.3f}"></i>'


def _numbers(labels: Sequence[str]) -> list[str]:
    """A layer's number, or its word; only some of them where there are many."""
    short = [label.split(":")[0].removeprefix("layer ") for label in labels]
    step = -(-len(short) // MOST_LABELS)
    return [text if i % step == 0 else "" for i, text in enumerate(short)]


def _told(change: BudgetChange) -> str:
    found = [
        f"{label.split(':')[0]} {value:+.2f}"
        for label, value in zip(change.labels, _of_picture(change), strict=True)
        if value == value
    ]
    return f"Picture's {change.ruler}, after less before: {', '.join(found) or 'n/a'}"
