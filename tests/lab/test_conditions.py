"""The committed measurements of hindered wirings hold together: nothing left out, and every figure agrees."""

import json
from pathlib import Path

import pytest

from vlmlens.lab.fusion import WIRINGS
from vlmlens.lab.model import LabModel

ROOT = Path(__file__).parents[2]
FOUND = json.loads((ROOT / "assets" / "information" / "conditions.json").read_text())


@pytest.fixture
def conditions(script, tmp_path, monkeypatch):
    """The script that measures, writing elsewhere."""
    module = script("conditions")
    monkeypatch.setattr(module, "TARGET", tmp_path / "conditions.json")
    return module


def test_every_condition_has_the_published_wirings_once_a_seed_and_no_row_twice(conditions):
    met = [(row["condition"], row["seed"], row["wiring"]) for row in FOUND["rows"]]
    assert len(set(met)) == len(met)
    assert {wiring for _, _, wiring in met} <= set(WIRINGS)
    for condition in FOUND["conditions"]:
        seeds = {seed for name, seed, wiring in met if name == condition and wiring in conditions.MEASURED}
        assert 0 in seeds
        assert {(condition, seed, wiring) for seed in seeds for wiring in conditions.MEASURED} <= set(met)


@pytest.mark.parametrize("row", FOUND["rows"], ids=lambda row: f"{row['condition']}, {row['wiring']}, {row['seed']}")
def test_the_figures_of_a_row_agree(row):
    for own in row["by_kind"].values():
        image, question, pid = own["image_effect"], own["question_effect"], own["pid"]
        assert own["image_share"] == pytest.approx(image / (image + question), abs=0.02)  # both are rounded
        assert own["interval"][0] <= own["image_share"] <= own["interval"][1]
        terms = [pid[term] for term in ("unique_1", "unique_2", "redundant", "synergistic")]
        assert min(terms) >= 0
        assert sum(terms) == pytest.approx(pid["total"], abs=1e-4)
        assert pid["converged"]


def test_what_is_measured_stays_and_what_is_missing_is_added_once(conditions, tmp_path, monkeypatch):
    """A run cut short goes on where it ended, and wirings named later join those that are there."""
    trained = []

    def train(condition, wiring, seed, keep):
        trained.append((condition, wiring, seed))
        return LabModel(wiring)

    kind = {"image_share": 0.5, "image_effect": 1.0, "accuracy": 1.0}
    figures = {"held_out": {"accuracy": 1.0, "accuracy_blind": 0.3}, "by_kind": dict.fromkeys(conditions.KINDS, kind)}
    monkeypatch.setattr(conditions, "trained", train)
    monkeypatch.setattr(conditions, "measured", lambda model, side: figures)
    conditions.run(tmp_path, ["concat"], ["half-trained"], [0])
    conditions.run(tmp_path, ["concat"], ["half-trained"], [0])
    assert trained == [("half-trained", "concat", 0)]
    conditions.run(tmp_path, ["gated"], ["half-trained", "few tokens"], [0], minutes=0)
    assert len(trained) == 1, "no model is begun when the time is over"
    conditions.run(tmp_path, ["gated", "concat"], ["half-trained"], [1, 0])
    rows = json.loads(conditions.TARGET.read_text())["rows"]
    assert sorted(trained) == [("half-trained", w, s) for w in ("concat", "gated") for s in (0, 1)]
    hindered = [(r["seed"], r["wiring"]) for r in rows if r["condition"] == "half-trained"]
    assert hindered == [(0, "concat"), (0, "gated"), (1, "concat"), (1, "gated")]
