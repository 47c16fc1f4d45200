"""What the class predicted: a bar for each choice, how many learners made it, the one that the run found right."""

from collections.abc import Mapping

from vlmlens.charts.figure import BEFORE, QUIET, Figure, Spec, figure, named_rows, rows

WIDE = 44  # characters of a choice in a line
LINES = 3


def predictions(counts: Mapping[str, int], learners: int, right: str | None = None) -> Figure:
    """`counts`: learners by choice, in the order in which the choices are offered. The axis ends at `learners`, those
    in the class, so that what is missing to its end has not predicted yet. `right`: the choice that the run decided
    for, once it may be shown."""
    choices = list(counts)
    labels = [_lines(f"✓ {choice}" if choice == right else choice) for choice in choices]
    end = max(learners, *counts.values(), 1) if counts else max(learners, 1)
    data = rows(
        place=list(range(len(choices))),
        choice=choices,
        learners=[counts[choice] for choice in choices],
        label=[str(counts[choice]) for choice in choices],
    )
    down = named_rows(labels, labelLimit=320, labelFontSize=13, labelLineHeight=15, grid=False)
    across: Spec = {
        "field": "learners",
        "type": "quantitative",
        "title": "learners",
        "scale": {"domain": [0, end], "nice": False},
        "axis": {"tickMinStep": 1, "tickCount": 6, "format": "d"},
    }
    tooltip = [
        {"field": "choice", "type": "nominal"},
        {"field": "learners", "type": "quantitative"},
    ]
    layers: list[Spec] = [
        {
            "mark": {"type": "bar", "color": BEFORE, "stroke": QUIET, "strokeWidth": 0.5, "height": {"band": 0.7}},
            "encoding": {"x": across, "y": down, "tooltip": tooltip},
        },
        {
            "mark": {"type": "text", "align": "left", "dx": 5, "fontSize": 14, "fontWeight": 600},
            "encoding": {"x": across, "y": down, "text": {"field": "label"}},
        },
    ]
    told = f"What {learners} learners predicted: " + ", ".join(f"{choice} {count}" for choice, count in counts.items())
    if right is not None:
        told += f"; the run found {right}"
    tallest = max((len(lines) for lines in labels), default=1)
    return figure({"data": data, "layer": layers}, told, max(34, 8 + 16 * tallest) * len(choices) + 46)


def _lines(text: str) -> list[str]:
    """A choice in lines that a label holds."""
    lines, line = [], ""
    for word in text.split():
        if line and len(line) + 1 + len(word) > WIDE:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    lines.append(line)
    return lines if len(lines) <= LINES else [*lines[: LINES - 1], f"{lines[LINES - 1][: WIDE - 1]}…"]
