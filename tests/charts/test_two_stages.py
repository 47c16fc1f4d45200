"""What is drawn of the two stages and of queries is what was found."""

import numpy as np
import pytest

from vlmlens import charts
from vlmlens.attention.queries import QueryLooks
from vlmlens.lab.two_stages import Curve, Found
from vlmlens.lab.two_stages_found import ALONE, summaries
from vlmlens.trace import Grid


def run(seed, accuracy):
    curve = Curve().then(10, ITC=2.0, ITM=0.6).then(20, ITC=1.0, ITM=0.5)
    return Found(seed, {"stage 1": curve}, {}, accuracy, {}, {})


def test_variants_show_every_seed_and_whiskers_only_where_seeds_can_tell():
    alone = [run(0, {ALONE: 0.6})]
    assert len(charts.variants(summaries(alone)).spec["layer"]) == 1
    both = charts.variants(summaries([*alone, run(1, {ALONE: 0.7, "no description": 0.3})]))
    whiskers, points = both.spec["layer"]
    assert sorted(p["accuracy"] for p in points["data"]["values"]) == [0.3, 0.6, 0.7]
    (whisker,) = whiskers["data"]["values"]
    assert whisker["low"] < 0.65 < whisker["high"]
    assert charts.export(both, "svg", "two stages")


def test_learning_draws_each_seeds_curve():
    figure = charts.learning([run(0, {}), run(1, {})], ["stage 1"], "ITC", "ITC, nats")
    points = [(p["seed"], p["step"], p["value"]) for p in figure.spec["data"]["values"]]
    assert points == [(f"seed {s}", step, value) for s in (0, 1) for step, value in ((10, 2.0), (20, 1.0))]
    assert charts.export(figure, "svg", "loss")


@pytest.mark.parametrize(("layers", "queries"), [(1, 3), (2, 8), (2, 16)])
def test_every_query_has_a_map_of_its_own_and_no_two_cells_meet(layers, queries):
    rng = np.random.default_rng(0)
    looks = rng.dirichlet(np.ones(36), (layers, queries))
    found = QueryLooks(
        tuple(f"layer {i}: x" for i in range(layers)),
        looks,
        looks[:, :2],
        np.full(queries, 1 / queries),
        "red",
        0.9,
        rng.random(queries),
        Grid.regular((6, 6), range(36), (48, 48)),
    )
    figure = charts.query_looks(found, 6, [3], ["nothing"] * 36)
    cells = figure.spec["data"]["values"]
    assert len({(c["row"], c["column"]) for c in cells}) == len(cells) == looks.size
    np.testing.assert_allclose([c["share"] for c in cells], looks.ravel())
    assert sum(c["marked"] for c in cells) == layers * queries
    assert charts.export(figure, "svg", "queries")
    assert charts.export(charts.query_use(found), "svg", "use")
