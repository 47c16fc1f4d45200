"""One test on its own scale: effect, interval and threshold, as a drawing that a browser redraws at once.

A Vega chart takes a tenth of a second to lay out, seven of them most of one; `charts.scorecard` is the one to save.
"""

from vlmlens.charts import Scale

INK, LINE = "#56B4E9", "#808080"
CLOSE = 14  # % of the width within which two labels would touch


def whisker(value: float, interval: tuple[float, float], scale: Scale, what: str) -> str:
    """HTML. `what` is named to who cannot see it."""
    low, high = scale.span(value, *interval)

    def at(place: float) -> float:
        return 100 * (place - low) / (high - low)

    def block(left: float, top: int, width: str, height: int, style: str) -> str:
        return f'<i style="left:{left:.2f}%;top:{top}px;width:{width};height:{height}px;{style}"></i>'

    threshold = at(scale.threshold)
    parts = [
        block(0, 14, "100%", 1, f"background:{LINE};opacity:.5"),
        block(threshold, 2, "0", 25, f"border-left:2px dashed {LINE}"),
    ]
    if value == value:
        start, end = (at(place) for place in interval) if interval[0] == interval[0] else (at(value), at(value))
        parts.append(block(start, 12, f"{end - start:.2f}%", 5, f"background:{INK}"))
        parts.append(
            block(
                at(value), 8, "13px", 13, f"margin-left:-6px;border-radius:50%;background:{INK};border:1px solid #fff8"
            )
        )
    marks = [(threshold, scale.mark(scale.threshold))]
    marks += [(place, scale.mark(end)) for place, end in ((0.0, low), (100.0, high)) if abs(place - threshold) > CLOSE]
    words = "".join(
        f'<b style="left:{place:.2f}%;transform:translateX({-min(100, max(0, round(place)))}%)">{text}</b>'
        for place, text in marks
    )
    told = f"{what}: {scale.write(value)}"
    if interval[0] == interval[0]:
        told += f", 95 % interval {scale.write(interval[0])} to {scale.write(interval[1])}"
    told += f"; threshold {scale.write(scale.threshold)}"
    return f'<div class="diag-whisker" role="img" aria-label="{told}">{"".join(parts)}{words}</div>'
