"""Pictures of pitfalls: what is told is what is drawn, and ill and healthy share their axes."""

import json

import pytest

from vlmlens import charts
from vlmlens.pitfalls import DETECTORS

ILL = {
    "attention collapse": {"rows": [[0.98, 0.01, 0.01]] * 4, "label": "layer 2"},
    "sinks": {"rows": [[0.8, 0.1, 0.1]] * 4, "label": "layer 2"},
    "vision ignored": {"right": 0.25, "blind": 0.25},
    "vanishing gradients": {"layers": [2, 4], "by_layer": [1e-11, 0.0], "rest": 0.03},
    "dead gates": {"layers": [2, 4], "attention": [0.0, 0.3]},
    "collapsed vision encoder": {"alike": [[1.0, 0.999], [0.999, 1.0]]},
}
HEALTHY = {
    "attention collapse": {"rows": [[0.3, 0.3, 0.4]] * 4, "label": "layer 2"},
    "sinks": {"rows": [[0.3, 0.3, 0.4]] * 4, "label": "layer 2"},
    "vision ignored": {"right": 0.99, "blind": 0.25},
    "vanishing gradients": {"layers": [2, 4], "by_layer": [0.01, 0.02], "rest": 0.03},
    "dead gates": {"layers": [2, 4], "attention": [0.4, 0.3]},
    "collapsed vision encoder": {"alike": [[1.0, 0.3], [0.3, 1.0]]},
}


def domains(spec):
    """Every domain of a scale of numbers, wherever it stands."""
    found = []

    def walk(node):
        if isinstance(node, dict):
            if node.get("type") == "quantitative" and "scale" in node:
                found.append(node["scale"].get("domain"))
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk({key: value for key, value in spec.items() if key != "data"})
    return found


@pytest.mark.parametrize("name", DETECTORS)
def test_ill_and_healthy_share_their_axes_and_are_told_in_words(name):
    ill, healthy = charts.pitfall(name, ILL[name]), charts.pitfall(name, HEALTHY[name])
    assert domains(ill.spec) == domains(healthy.spec) != []
    assert ill.told != healthy.told
    json.dumps(ill.spec, allow_nan=False)


def test_a_remedy_is_drawn_by_seed():
    drawn = charts.remedy([0.1, 0.2], [0.3, 0.4], "of answers")
    values = drawn.spec["data"]["values"]
    assert [(row["arm"], row["seed"], row["value"]) for row in values] == [
        ("without", 0, 0.1),
        ("without", 1, 0.2),
        ("with", 0, 0.3),
        ("with", 1, 0.4),
    ]
    assert "without 0.1, 0.2; with 0.3, 0.4" in drawn.told
