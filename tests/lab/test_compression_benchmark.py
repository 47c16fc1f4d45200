"""The command that trains and measures compressors: resumable, and its page says what was measured."""

import json

import pytest
import torch

from vlmlens.lab.compress import COMPRESSORS, CompressedModel, measured
from vlmlens.lab.compress import weights as kept
from vlmlens.lab.compress.train import RECIPE, Trained
from vlmlens.lab.sample import take
from vlmlens.lab.train import make_pool
from vlmlens.lab.weights import LabName, load_encoders, load_wiring


@pytest.fixture(scope="module")
def compression(script):
    return script("compression")


@pytest.fixture
def places(compression, tmp_path, monkeypatch):
    monkeypatch.setattr(kept, "HOME", tmp_path)
    monkeypatch.setattr(compression, "TARGET", tmp_path / "compression.json")
    return tmp_path


@pytest.fixture(scope="module")
def held_out():
    return make_pool(take("test", 0, 30), load_encoders()[0])


def untrained(name):
    torch.manual_seed(0)
    return CompressedModel(COMPRESSORS[name], load_wiring(LabName("concat"))).eval()


def test_what_has_weights_is_not_trained_again(compression, places):
    names = ("none", "q-former")
    assert compression.training(names, (0, 1)) == [("none", 0), ("q-former", 0), ("none", 1), ("q-former", 1)]
    kept.save_compressed("none", 0, Trained(untrained("none"), RECIPE, 0.0, ()))
    assert compression.training(names, (0, 1)) == [("q-former", 0), ("none", 1), ("q-former", 1)]
    rows = [{"compressor": "q-former", "seed": seed, "only": None} for seed in (0, 1)]
    compression.TARGET.write_text(json.dumps({"rows": rows}))
    assert compression.training(names, (0, 1)) == [("q-former", 0), ("none", 1)]  # the first seed is shipped


def test_measuring_goes_on_where_it_was_and_reads_back(compression, places, held_out):
    for name in ("none", "average pooling"):
        kept.save_compressed(name, 0, Trained(untrained(name), RECIPE, 0.0, ()))
    compression.measure(["none"], (0,), held_out)
    first = json.loads(compression.TARGET.read_text())["rows"]
    compression.measure(list(COMPRESSORS), (0,), held_out)
    found = measured.read(compression.TARGET)
    assert found.compressors == ("none", "average pooling")
    assert json.loads(compression.TARGET.read_text())["rows"][0] == first[0]
    whole = found.accuracy("none", 36)
    assert whole.value > 0.9  # the shipped wiring
    assert found.accuracy("average pooling", 36).value == pytest.approx(whole.value)  # untrained, all patches
    assert found.budgets("average pooling") == (36, 25, 16, 9, 4, 1)
    assert 0.4 < found.about["floor"] < 0.7
    assert found.costs["q-former", 4].total > found.costs["average pooling", 4].total  # counted, measured or not
    assert not list(places.glob("*.partial"))


def test_the_page_has_a_row_for_each_and_says_what_is_missing(compression, places, held_out):
    kept.save_compressed("average pooling", 0, Trained(untrained("average pooling"), RECIPE, 0.0, ()))
    compression.measure(list(COMPRESSORS), (0,), held_out)
    told = compression.table(measured.read(compression.TARGET))
    assert "| average pooling | no | 1 |" in told
    assert "Not measured yet: `python benchmarks/compression.py --alone`" in told
    assert "Accuracy on 30 held-out lab questions" in told


def test_no_job_is_begun_after_its_time(compression, capsys):
    assert list(compression.work([(print, "never")], 1, end=0.0)) == []
    assert "out of time with 1 to go" in capsys.readouterr().out
