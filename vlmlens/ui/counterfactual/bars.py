"""Before and after as light drawings: a Vega chart takes a tenth of a second to lay out, these take a millisecond.

What is saved is a chart with its axes; see `vlmlens.charts`.
"""

from collections.abc import Sequence
from html import escape

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

STYLE = f"""
<style>
.pairs {{ display: grid; grid-template-columns: auto 1fr; gap: 3px 10px; font-size: 0.82rem; align-items: center; }}
.pairs .name {{ text-align: right; max-width: 9rem; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }}
.pairs .track {{ display: grid; grid-template-rows: 11px 11px; }}
.pairs .bar {{ display: flex; align-items: center; font-size: 0.7rem; line-height: 11px; font-variant-numeric: tabular-nums; }}
.pairs .bar i {{ height: 9px; margin-right: 5px; min-width: 1px; }}
.b {{ background: {BEFORE}; }} .a {{ background: {AFTER}; }}
.keys {{ display: flex; flex-wrap: wrap; gap: 2px 12px; font-size: 0.75rem; margin: 2px 0; }}
.keys i {{ display: inline-block; width: 10px; height: 10px; margin-right: 4px; }}
.layers {{ display: flex; align-items: stretch; }}
.layers .at {{ width: 30px; position: relative; font-size: 0.68rem; opacity: .8; }}
.layers .at span {{ position: absolute; right: 5px; transform: translateY(-50%); }}
.layers .plot {{ flex: 1; min-width: 0; }}
.layers svg {{ display: block; width: 100%; overflow: visible; }}
.layers .numbers {{ display: flex; font-size: 0.68rem; opacity: .8; }}
.layers .numbers span {{ flex: 1; text-align: center; min-width: 0; }}
.truth {{ font-size: 0.85rem; margin: 6px 0 0; }}
.truths {{ max-height: 170px; overflow: auto; font-size: 0.8rem; }}
.truths td {{ padding: 1px 8px 1px 0; }} .truths caption {{ text-align: left; opacity: .8; }}
.thumbs {{ display: grid; grid-template-columns: repeat(3, 1fr); gap: 8px; }}
.thumbs figure {{ margin: 0; }} .thumbs img {{ width: 100%; border-radius: 4px; display: block; }}
.thumbs figcaption {{ font-size: 0.75rem; opacity: .85; }}
</style>
"""


def answers(change: AnswerChange) -> str:
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
        lines.append(f'<div class="name">{f"<b>{name}</b>" if any(first) else name}</div><div class="track">{bars}</div>')
    told = ", ".join(f"{pair.text} {_probability(pair.before)} then {_probability(pair.after)}" for pair in change.pairs)
    keys = '<div class="keys"><span><i class="b"></i>before</span><span><i class="a"></i>after</span></div>'
    return f'{keys}<div class="pairs" role="img" aria-label="Probabilities: {escape(told)}">{"".join(lines)}</div>'


def _probability(value: float) -> str:
    return "not named" if value != value else f"{value:.3f}"


def budget(change: BudgetChange) -> str:
    """Two bars a layer, before and after; below, how much more or less of each layer is the picture's."""
    count = len(change.labels)
    before = "".join(_stack(change.before[i], change.segments, i + 0.08, 0.4, BEFORE) for i in range(count))
    after = "".join(_stack(change.after[i], change.segments, i + 0.52, 0.4, AFTER) for i in range(count))
    swings = "".join(_swing(value, i) for i, value in enumerate(_of_picture(change)))
    keys = "".join(
        f'<span><i style="background:{SEGMENT_COLORS[segment]}"></i>{segment.word}</span>' for segment in change.segments
    )
    numbers = "".join(f"<span>{text}</span>" for text in _numbers(change.labels))
    svg = f'<svg viewBox="0 0 {count} {{0}}" preserveAspectRatio="none" style="height:{{0}}px" aria-hidden="true">{{1}}</svg>'
    line = f'<rect x="0" y="{SWING / 2 - 0.5}" width="{count}" height="1" fill="#808080"></rect>'
    return (
        f'<div role="img" aria-label="{escape(_told(change))}"><div class="keys">{keys}'
        '<span>left bar <i class="b"></i>before</span><span>right bar <i class="a"></i>after</span></div>'
        f"{_row((('1', 2), ('.5', HIGH / 2), ('0', HIGH - 2)), svg.format(HIGH + 4, before + after))}"
        f"{_row((), f'<div class=numbers>{numbers}</div>')}"
        f"{_row((('+.5', 3), ('0', SWING / 2), ('−.5', SWING - 3)), svg.format(SWING, line + swings))}</div>"
    )


def _row(ticks: Sequence[tuple[str, float]], plot: str) -> str:
    at = "".join(f'<span style="top:{top}px">{text}</span>' for text, top in ticks)
    return f'<div class="layers"><div class="at">{at}</div><div class="plot">{plot}</div></div>'


def _stack(share: np.ndarray, segments: Sequence[Segment], left: float, width: float, foot: str) -> str:
    """One bar, picture lowest as on the other pages, with its colour of before or after as a foot."""
    if np.isnan(share).all():
        return f'<rect x="{left}" y="{HIGH - 1}" width="{width}" height="1" fill="#808080"><title>n/a</title></rect>'
    parts, bottom = [], float(HIGH)
    for segment, value in zip(segments, np.nan_to_num(share), strict=True):
        bottom -= HIGH * float(value)
        parts.append(
            f'<rect x="{left:.3f}" y="{bottom:.2f}" width="{width}" height="{HIGH * float(value):.2f}" '
            f'fill="{SEGMENT_COLORS[segment]}"><title>{segment.word} {value:.3f}</title></rect>'
        )
    parts.append(f'<rect x="{left:.3f}" y="{HIGH + 1}" width="{width}" height="3" fill="{foot}"></rect>')
    return "".join(parts)


def _of_picture(change: BudgetChange) -> np.ndarray:
    if Segment.IMAGE in change.segments:
        return change.of(Segment.IMAGE)
    return np.full(len(change.labels), np.nan)


def _swing(value: float, layer: int) -> str:
    """The picture's share after less before, drawn from -0.5 to 0.5."""
    if value != value:
        return ""
    length = max(0.75, min(abs(value), 0.5) * SWING)
    top = SWING / 2 - length if value >= 0 else SWING / 2
    return (
        f'<rect x="{layer + 0.3}" y="{top:.2f}" width="0.4" height="{length:.2f}" fill="{SEGMENT_COLORS[Segment.IMAGE]}">'
        f"<title>picture {value:+.3f}</title></rect>"
    )


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
