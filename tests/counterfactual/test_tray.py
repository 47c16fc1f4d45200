"""Kept runs: they come back from their file as they were, and a file that is none is refused in words."""

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest

from vlmlens.attention import budget, contributions
from vlmlens.counterfactual import Run, Tray, compare, compare_runs
from vlmlens.errors import TrayError
from vlmlens.lab.scenes import Scene, Thing
from vlmlens.picture import open_picture
from vlmlens.trace import Segment, Watch

QUESTION = "what color is the circle?"
RED = Scene((Thing(4, "red", "circle", "large"), Thing(0, "blue", "square", "small")))
GREEN = RED.edit(4, color="green")
STEPS = '[{"name":"donor","strength":0.5,"donor":"été"}]'


@pytest.fixture(scope="module")
def traces(model):
    return [model("lab:concat").inspect(scene, QUESTION) for scene in (RED, GREEN)]


@pytest.fixture(scope="module")
def tray(traces, model):
    quiet = model("lab:txt2img").inspect(RED, QUESTION, watch=Watch(contributions=False))  # whose shares are NaN
    found = Tray().add(Run.of("red, “plain”", traces[0], scene=RED)).add(Run.of("green", traces[1], STEPS))
    return found.add(Run.of("another model", quiet, scene=RED))


def test_a_run_is_its_trace_in_short(tray, traces):
    run = tray.find("green")
    assert (run.answer, run.answers, run.question) == ("green", traces[1].answers, traces[1].question)
    assert open_picture(run.picture).size == open_picture(traces[1].picture).size
    np.testing.assert_allclose(run.shares.column(Segment.IMAGE), contributions(traces[1]).of(Segment.IMAGE), atol=1e-6)
    assert np.isnan(tray.find("another model").shares.column(Segment.IMAGE)).any()
    assert (tray.find("another model").shares.column(Segment.BOS) == 0).all()


def test_a_tray_comes_back_from_its_file_as_it_was(tray):
    again = Tray.from_json(tray.to_json())
    assert again == tray
    assert Tray.from_json(tray.to_json().encode()) == tray
    assert Tray.from_json(Tray().to_json()) == Tray()


def test_runs_are_added_found_and_taken_out_and_the_tray_stays(tray):
    fewer = tray.remove("green")
    assert fewer.names == ("red, “plain”", "another model")
    assert tray.names == ("red, “plain”", "green", "another model")
    for change, told in (
        (lambda: tray.add(tray.runs[0]), "has a run called"),
        (lambda: tray.add(replace(tray.runs[0], name="")), "needs a name of 1 to 80 characters"),
        (lambda: tray.add(replace(tray.runs[0], name="n" * 81)), "has 81"),
        (lambda: tray.remove("blue"), "it has: red, “plain”, green, another model"),
        (lambda: Tray().find("x"), "it has: none"),
    ):
        with pytest.raises(TrayError, match=told):
            change()
    full = Tray(tuple(replace(tray.runs[0], name=f"{i}") for i in range(200)))
    with pytest.raises(TrayError, match="full with 200 runs"):
        full.add(tray.runs[0])


def test_two_kept_runs_compare_as_their_traces_do(tray, traces):
    found, whole = compare_runs(tray.runs[0], tray.runs[1]), compare(*traces)
    assert found.answers == whole.answers
    np.testing.assert_allclose(found.shares.difference, whole.contributions.difference, atol=2e-6)
    assert found.sentence().startswith("“red, “plain”” and “green”: “red”")


def test_runs_of_two_models_compare_by_their_words(tray):
    found = compare_runs(tray.find("red, “plain”"), tray.find("another model"))
    assert not found.answers.flipped
    assert found.shares is None
    assert found.no_shares == "lab:concat and lab:txt2img have different layers."


def test_runs_that_kept_different_budgets_say_so(model, traces):
    bare = Run.of("bare", model("lab:concat").inspect(RED, QUESTION, watch=Watch(contributions=False)))
    assert bare.shares.ruler == "share of attention"
    np.testing.assert_allclose(bare.shares.column(Segment.IMAGE), budget(traces[0]).of(Segment.IMAGE), atol=1e-6)
    found = compare_runs(bare, Run.of("whole", traces[0]))
    assert found.shares is None
    assert "share of attention, the other the share of the update" in found.no_shares


def test_the_table_has_a_row_a_run(tray):
    first, *others = csv.DictReader(io.StringIO(tray.to_csv()))
    assert first["name"] == "red, “plain”"
    assert first["answer_1"] == "red"
    assert float(first["image"]) == pytest.approx(tray.runs[0].shares.column(Segment.IMAGE).mean(), abs=1e-5)
    assert [row["steps"] for row in others] == [STEPS, "[]"]


def broken(tray, **changes):
    data = json.loads(tray.to_json())
    data["runs"][1] |= changes
    return json.dumps(data)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"name": 3}, "no text “name”"),
        ({"name": "red, “plain”"}, "has a run called"),
        ({"picture": "no base64!"}, "picture cannot be read"),
        ({"picture": "aGVsbG8="}, "picture cannot be read"),
        ({"picture_sha256": "../../etc"}, "no sha256"),
        ({"scene": {"things": [{"cell": 99}]}}, "scene cannot be read"),
        ({"scene": 7}, "its scene is none"),
        ({"steps": "blur"}, "steps are no list"),
        ({"answers": []}, "no answers"),
        ({"answers": [{"text": "red", "probability": 2, "candidate": 0}]}, "no word with a probability"),
        ({"answers": [{"text": "red", "probability": 0.5, "candidate": True}]}, "no word with a probability"),
        ({"answers": [{"text": "red", "probability": 0.5, "candidate": 0}] * 2}, "one twice"),
        ({"answers": "red"}, "answers are no list"),
        ({"shares": None}, "budget is none"),
        ({"shares": {"ruler": "x", "layers": ["1"], "segments": ["image"], "share": [["a"]]}}, "budget is none"),
        ({"shares": {"ruler": "x", "layers": ["1"], "segments": ["nose"], "share": [[0.5]]}}, "budget is none"),
        ({"shares": {"ruler": "x", "layers": ["1"], "segments": ["image"], "share": [[7]]}}, "budget is none"),
    ],
)
def test_a_broken_run_is_named_with_what_is_wrong(tray, changes, told):
    with pytest.raises(TrayError, match="Run 2 cannot be opened: ") as refused:
        Tray.from_json(broken(tray, **changes))
    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no JSON"),
        ("[1, 2", "no JSON"),
        ("[" * 100_000, "no JSON"),
        (b"\xff\xfe", "no JSON"),
        ("[]", "holds no tray"),
        ('{"runs": []}', "holds no tray"),
        ('{"vlmlens_tray": 2, "runs": []}', "format 2"),
        ('{"vlmlens_tray": 1, "runs": [7]}', "Run 1 cannot be opened"),
    ],
)
def test_a_file_that_is_no_tray_is_refused(text, told):
    with pytest.raises(TrayError, match=told):
        Tray.from_json(text)
