"""The card of the diagnostics: effects with their intervals against the thresholds, each test on its own scale."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vlmlens.charts.figure import BEFORE, QUIET, Figure, Spec, figure, rows
from vlmlens.diagnostics import (
    Change,
    Row,
    Scorecard,
    consistency,
    context,
    dependency,
    information,
    override,
    sensitivity,
    uncertainty,
)

SHAPES = {"PASS": "✓", "FAIL": "✕", "INCONCLUSIVE": "~", "VACUOUS": "○"}  # a word and a shape, never colour alone
ROW = 44  # pixels


@dataclass(frozen=True)
class Scale:
    """Where one test's effects are drawn. Right of `threshold` lies PASS."""

    low: float
    high: float
    threshold: float
    spec: str  # how a number is written, for Python and Vega alike
    unit: str

    def write(self, value: float) -> str:
        """`z` writes what rounds to nothing as 0, never as −0."""
        return "n/a" if value != value else f"{value:{self.spec.replace('.', 'z.')}}{self.unit}".replace("-", "−")

    def mark(self, value: float) -> str:
        """A place on the axis, short."""
        return (f"{value:.0%}" if self.spec.endswith("%") else f"{value:.3g}").replace("-", "−")

    def span(self, *values: float) -> tuple[float, float]:
        """The ends of the axis; they move only where a value lies outside."""
        known = [value for value in values if value == value]
        return min([self.low, *known]), max([self.high, *known])


SCALES = {
    "dependency": Scale(0.0, 1.0, dependency.LITTLE, ".3f", " bit"),
    "override": Scale(0.0, 1.0, override.CHANCE, ".0%", ""),
    "consistency": Scale(0.0, 1.0, consistency.JOINT, ".0%", ""),
    "sensitivity": Scale(-0.2, 1.0, sensitivity.MARGIN, "+.3f", " bit"),
    "information": Scale(-2.0, 6.0, information.MARGIN, "+.2f", " bit"),
    "uncertainty": Scale(-0.5, 0.5, uncertainty.MARGIN, "+.3f", ""),
    "context": Scale(-1.0, 0.5, context.LOSS, "+.0%", ""),
}


def scorecard(card: Scorecard) -> Figure:
    """All tests, one a line, each stretched to its own scale."""
    places, data = [], []
    for row in card.rows:
        scale = SCALES[row.name]
        low, high = scale.span(row.effect, *row.interval)

        def at(value: float, low: float = low, high: float = high) -> float:
            return (value - low) / (high - low)

        places.append(row.name)
        data.append([at(row.effect), at(row.interval[0]), at(row.interval[1]), at(scale.threshold)])
    values, lows, highs, thresholds = zip(*data, strict=True)
    written = [_written(row) for row in card.rows]
    base = rows(
        test=places,
        value=values,
        low=lows,
        high=highs,
        threshold=thresholds,
        shape=[SHAPES[row.verdict] for row in card.rows],
        verdict=[row.verdict for row in card.rows],
        effect=written,
    )
    y: Spec = {"field": "test", "type": "nominal", "sort": places, "title": None, "axis": {"labelLimit": 200}}
    x: Spec = {
        "field": "value",
        "type": "quantitative",
        "title": "each on its own scale; right of its grey line: PASS",
        "scale": {"domain": [0, 2.1]},
        "axis": {"labels": False, "grid": False, "titleAnchor": "start"},
    }
    edge: Spec = {"data": {"values": [{"v": 0}, {"v": 1}]}, "mark": {"type": "rule", "color": QUIET, "opacity": 0.4}}
    edge["encoding"] = {"x": x | {"field": "v"}}
    threshold: Spec = {
        "mark": {"type": "tick", "color": QUIET, "thickness": 2, "bandSize": 26},
        "encoding": {"x": x | {"field": "threshold"}, "y": y},
    }
    whisker: Spec = {
        "mark": {"type": "rule", "strokeWidth": 2.5, "color": BEFORE},
        "encoding": {"x": x | {"field": "low"}, "x2": {"field": "high"}, "y": y},
    }
    point: Spec = {
        "mark": {"type": "point", "filled": True, "size": 90, "opacity": 1, "color": BEFORE},
        "encoding": {"x": x, "y": y},
    }
    words = [
        {
            "mark": {"type": "text", "align": "left", "fontSize": 11},
            "encoding": {"x": {"datum": place, "type": "quantitative"}, "y": y, "text": {"field": field}},
        }
        for place, field in ((1.05, "shape"), (1.09, "verdict"), (1.42, "effect"))
    ]
    told = f"{card.model}: " + ", ".join(f"{row.name} {row.verdict}" for row in card.rows)
    return figure({"data": base, "layer": [edge, threshold, whisker, point, *words]}, told, 40 + ROW * len(places))


def _written(row: Row) -> str:
    scale = SCALES[row.name]
    if row.effect != row.effect:
        return "n/a"
    low, high = (scale.write(value) for value in row.interval)
    return f"{scale.write(row.effect)} ({low} to {high}), n {row.n}"


def against(
    names: Sequence[str],
    values: Sequence[float],
    intervals: Sequence[Sequence[float]],
    title: str,
    threshold: float,
    form: str,
) -> Figure:
    """One effect measured in several ways, on one axis: points, 95 % intervals, and the threshold dashed."""
    ends = [end for pair in intervals for end in pair]
    x: Spec = {
        "field": "value",
        "type": "quantitative",
        "title": title,
        "scale": {"domain": [min(0.0, threshold, *values, *ends), max(0.0, threshold, *values, *ends)], "nice": True},
        "axis": {"format": ".0%" if form.endswith("%") else ".2~f", "tickCount": 5},
    }
    y: Spec = {"field": "name", "type": "nominal", "title": None, "sort": list(names), "axis": {"labelLimit": 160}}
    data = rows(name=names, value=values, low=[pair[0] for pair in intervals], high=[pair[1] for pair in intervals])
    tooltip = [{"field": "name", "type": "nominal"}] + [
        {"field": field, "type": "quantitative", "format": form} for field in ("value", "low", "high")
    ]
    layers: list[Spec] = [
        {
            "data": rows(threshold=[threshold]),
            "mark": {"type": "rule", "color": QUIET, "strokeDash": [4, 3]},
            "encoding": {"x": x | {"field": "threshold"}},
        },
        {
            "mark": {"type": "rule", "strokeWidth": 2.5, "color": BEFORE},
            "encoding": {"x": x | {"field": "low"}, "x2": {"field": "high"}, "y": y},
        },
        {
            "mark": {"type": "point", "filled": True, "size": 80, "opacity": 1, "color": BEFORE},
            "encoding": {"x": x, "y": y, "tooltip": tooltip},
        },
    ]
    told = f"{title}: " + ", ".join(f"{name} {value:{form}}" for name, value in zip(names, values, strict=True))
    return figure({"data": data, "layer": layers}, told, 60 + 24 * len(names))


def labels(counts: Mapping[str, int]) -> Figure:
    """How many items got which word."""
    names, many = list(counts), sum(counts.values())
    data = rows(
        label=names,
        items=list(counts.values()),
        text=[f"{count} ({count / many:.0%})" for count in counts.values()],
    )
    y: Spec = {"field": "label", "type": "nominal", "title": None, "sort": names, "axis": {"labelLimit": 160}}
    x: Spec = {
        "field": "items",
        "type": "quantitative",
        "title": "items",
        "scale": {"domain": [0, many * 1.18], "nice": False},
        "axis": {"tickCount": 5, "tickMinStep": 1},
    }
    bars: Spec = {"mark": {"type": "bar", "color": BEFORE, "height": 16}, "encoding": {"x": x, "y": y}}
    words: Spec = {
        "mark": {"type": "text", "align": "left", "dx": 4, "fontSize": 11},
        "encoding": {"x": x, "y": y, "text": {"field": "text"}},
    }
    told = "Items by diagnosis: " + ", ".join(f"{name} {count}" for name, count in counts.items())
    return figure({"data": data, "layer": [bars, words]}, told, 52 + 26 * len(names))


def differences(changes: Sequence[Change]) -> Figure:
    """The second model's effect minus the first's, test by test, each in units of its own scale's width."""
    known = [change for change in changes if change.interval[0] == change.interval[0]]
    widths = [SCALES[change.name].high - SCALES[change.name].low for change in known]
    return against(
        [change.name for change in known],
        [change.difference / width for change, width in zip(known, widths, strict=True)],
        [[end / width for end in change.interval] for change, width in zip(known, widths, strict=True)],
        "second minus first, by scale width",
        0.0,
        "+.2f",
    )
