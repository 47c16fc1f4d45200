"""The committed measurements of hindered wirings hold together: nothing left out, and every figure agrees."""

import json
from pathlib import Path

import pytest

from vlmlens.information.ablation import PUBLISHED
from vlmlens.lab.fusion import WIRINGS

FOUND = json.loads((Path(__file__).parents[2] / "assets" / "information" / "conditions.json").read_text())


def test_every_condition_has_every_wiring_once_a_seed():
    met = [(row["condition"], row["seed"], row["wiring"]) for row in FOUND["rows"]]
    assert len(set(met)) == len(met)
    for condition in FOUND["conditions"]:
        seeds = {seed for name, seed, _ in met if name == condition}
        assert 0 in seeds
        assert {(condition, seed, wiring) for seed in seeds for wiring in PUBLISHED} <= set(met)
    assert {wiring for *_, wiring in met} <= set(WIRINGS)


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
