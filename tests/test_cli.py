"""The command line: one JSON object and nothing else, or one line and exit code 2."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import vlmlens
from vlmlens.cli import main
from vlmlens.lab.draw import render
from vlmlens.lab.scenes import Scene, Thing
from vlmlens.perturb import Region, Step, run

SCENE = Scene((Thing(0, "red", "circle", "large"), Thing(8, "blue", "square", "small")))
QUESTION = "what color is the circle?"


@pytest.fixture
def picture(tmp_path: Path) -> str:
    render(SCENE).save(tmp_path / "scene.png")
    return str(tmp_path / "scene.png")


def test_inspect_says_what_the_library_says(picture, capsys, tmp_path):
    assert main(["inspect", "lab:concat", picture, QUESTION, "--json", "--save", str(tmp_path / "t.safetensors")]) == 0
    said = json.loads(capsys.readouterr().out)
    trace = vlmlens.load("lab:concat").inspect(SCENE, QUESTION)
    assert said["answer"] == trace.answer
    assert said["probabilities"] == pytest.approx(trace.probabilities)
    assert said["causal_check"]["before"] == pytest.approx(trace.answers[0].probability)
    assert vlmlens.open_trace(tmp_path / "t.safetensors").answer == trace.answer


def test_inspect_takes_a_scene_and_speaks_to_people(capsys):
    assert main(["inspect", "lab:img2txt", SCENE.to_json(), QUESTION]) == 0
    assert "Hiding the hottest region" in capsys.readouterr().out


def test_evaluate_prints_one_object_and_is_repeatable(capsys):
    found = []
    for _ in range(2):
        assert main(["evaluate", "lab:txt2img", "--seed", "5", "--n", "100", "--json"]) == 0
        found.append(json.loads(capsys.readouterr().out))
    assert found[0] == found[1]
    assert found[0]["n"] == 100
    assert 0 <= found[0]["accuracy_blind"] <= found[0]["accuracy"] <= 1
    assert set(found[0]["by_question"]) <= {"color", "shape", "size", "count", "exist", "where", "relation"}


def test_pid_prints_one_object_in_both_modes(capsys):
    size = ["--kind", "size", "--json"]
    assert main(["pid", "lab:concat", "--n", "1000", "--k", "4", *size]) == 0
    found = json.loads(capsys.readouterr().out)
    terms = found["points"]["before fusion"]["terms"]
    assert terms["unique_1"]["status"] == "shown"
    assert terms["unique_1"]["low"] <= terms["unique_1"]["high"]
    assert main(["pid", "lab:concat", "--n", "4", "--mode", "interventional", *size]) == 0
    crossed = json.loads(capsys.readouterr().out)
    atoms = [crossed[atom] for atom in ("unique_1", "unique_2", "redundant", "synergistic")]
    assert sum(atoms) == pytest.approx(crossed["total"], abs=1e-9)
    assert crossed["pictures"] == 4


def test_pid_refuses_in_one_line(capsys):
    assert main(["pid", "lab:concat", "--kind", "weather"]) == 2
    assert main(["pid", "lab:concat", "--n", "30"]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert lines[0].startswith("vlmlens: --kind is one of")
    assert "30 items so far" in lines[-1]


def test_diagnose_prints_one_object_and_says_beforehand_what_it_needs(capsys):
    small = ["--scenes", "6", "--questions", "4", "--tests", "dependency", "information", "--json"]
    assert main(["diagnose", "lab:concat", *small]) == 0
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert found["model"] == "lab:concat"
    assert [row["name"] for row in found["tests"]] == ["dependency", "information"]
    assert {"name", "verdict", "effect", "interval", "n"} <= set(found["tests"][0])
    assert found["tests"][0]["verdict"] == "INCONCLUSIVE"  # 24 items are too few
    assert found["diagnosis"] == "undecided"
    assert "needs 69 items" in captured.err


def test_models_lists_every_seed(capsys):
    assert main(["models", "--json"]) == 0
    names = [model["name"] for model in json.loads(capsys.readouterr().out)["models"]]
    assert {"lab:concat", "lab:concat@1", "lab:llava@2"} <= set(names)


def test_perturb_writes_what_the_library_makes(picture, capsys, tmp_path):
    out = tmp_path / "out.png"
    typed = ["--step", "fill-mean", "--step", "noise:0.3:7", "--region", "box:0,0,0.5,0.5"]
    assert main(["perturb", picture, *typed, "--out", str(out), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    region = Region.box(0, 0, 0.5, 0.5)
    expected = run(render(SCENE), [Step("fill-mean", 1.0, region=region), Step("noise", 0.3, 7, region=region)])
    assert Image.open(out).tobytes() == expected.image.tobytes()
    assert said["changed"] == expected.mask.mean()
    stack = tmp_path / "stack.json"
    for given in (json.dumps(said["steps"]), str(stack)):
        stack.write_text(json.dumps(said["steps"]))
        assert main(["perturb", SCENE.to_json(), "--stack", given, "--out", str(tmp_path / "again.png")]) == 0
        assert (tmp_path / "again.png").read_bytes() == out.read_bytes()
        assert "48 x 48" in capsys.readouterr().out
    donor = ["--step", "donor:1", "--donor", str(out)]
    assert main(["perturb", picture, *donor, "--out", str(tmp_path / "third.png")]) == 0
    assert (tmp_path / "third.png").read_bytes() == out.read_bytes()


def bad_inputs(folder: Path) -> dict[str, list[str]]:
    (folder / "text.png").write_text("no picture")
    (folder / "empty.png").write_bytes(b"")
    Image.new("RGB", (64, 64)).save(folder / "whole.png")
    (folder / "half.png").write_bytes((folder / "whole.png").read_bytes()[:60])
    (folder / "no-config").mkdir()
    (folder / "other").mkdir()
    (folder / "other" / "config.json").write_text('{"model_type": "bert"}')
    whole = str(folder / "whole.png")
    to_file = ["--out", str(folder / "out.png")]
    return {
        "no such picture": ["inspect", "lab:concat", str(folder / "none.png"), QUESTION],
        "no picture": ["inspect", "lab:concat", str(folder / "text.png"), QUESTION],
        "empty picture": ["inspect", "lab:concat", str(folder / "empty.png"), QUESTION],
        "truncated picture": ["inspect", "lab:concat", str(folder / "half.png"), QUESTION],
        "no scene": ["inspect", "lab:concat", '{"things": 3}', QUESTION],
        "empty question": ["inspect", "lab:concat", whole, ""],
        "long question": ["inspect", "lab:concat", whole, "why " * 1250],
        "unknown words": ["inspect", "lab:concat", whole, "where is the giraffe?"],
        "long question to a decoder": ["inspect", "lab:llava", whole, "why " * 1250],
        "unknown model": ["inspect", "lab:nothing", whole, QUESTION],
        "unknown seed": ["inspect", "lab:concat@99", whole, QUESTION],
        "missing folder": ["inspect", str(folder / "nowhere"), whole, QUESTION],
        "folder without config": ["inspect", str(folder / "no-config"), whole, QUESTION],
        "other family": ["inspect", str(folder / "other"), whole, QUESTION],
        "hub name offline": ["inspect", "org/not-here", whole, QUESTION],
        "no questions": ["evaluate", "lab:concat", "--n", "0"],
        "impossible prior": ["evaluate", "lab:concat", "--prior", "2"],
        "unknown test": ["diagnose", "lab:concat", "--tests", "nothing"],
        "no probe set": ["diagnose", "lab:concat", "--probe", str(folder / "none.csv")],
        "one scene": ["diagnose", "lab:concat", "--scenes", "1"],
        "no change": ["perturb", whole, *to_file],
        "unknown change": ["perturb", whole, "--step", "swirl", *to_file],
        "too strong": ["perturb", whole, "--step", "blur:2", *to_file],
        "no number": ["perturb", whole, "--step", "blur:a", *to_file],
        "no region": ["perturb", whole, "--step", "fill-mean", *to_file],
        "region outside": ["perturb", whole, "--step", "fill-mean", "--region", "box:2,2,3,3", *to_file],
        "empty region": ["perturb", whole, "--step", "fill-mean", "--region", "box:0.5,0.5,0.5,0.5", *to_file],
        "bad region": ["perturb", whole, "--step", "blur", "--region", "box:1,2", *to_file],
        "no target": ["perturb", whole, "--step", "move", "--region", "box:0,0,1,1", *to_file],
        "bad target": ["perturb", whole, "--step", "move", "--region", "box:0,0,1,1", "--to", "x", *to_file],
        "no donor": ["perturb", whole, "--step", "donor", *to_file],
        "bad stack": ["perturb", whole, "--stack", "[{", *to_file],
        "missing stack": ["perturb", whole, "--stack", str(folder / "none.json"), *to_file],
        "bad picture to change": ["perturb", str(folder / "half.png"), "--step", "blur", *to_file],
        "unknown ending": ["perturb", whole, "--step", "blur", "--out", str(folder / "out.what")],
        "unwritable picture": ["perturb", whole, "--step", "blur", "--out", str(folder / "no" / "out.png")],
        "nothing to train": ["train"],
        "training the unknown": ["train", "lab:nothing"],
        "unwritable trace": ["inspect", "lab:concat", whole, QUESTION, "--save", str(folder / "no" / "t")],
    }


def test_a_persons_error_is_one_line_and_exit_code_2(tmp_path, capsys):
    for name, arguments in bad_inputs(tmp_path).items():
        assert main(arguments) == 2, name
        captured = capsys.readouterr()
        lines = [line for line in captured.err.splitlines() if line.startswith("vlmlens: ")]
        assert len(lines) == 1, (name, captured.err)
        assert captured.err.splitlines()[-1] == lines[0], name
        assert captured.out == "", name


def test_python_m_is_the_same_program():
    done = subprocess.run(
        [sys.executable, "-m", "vlmlens", "inspect", "lab:concat", "none.png", "x"], capture_output=True
    )
    assert done.returncode == 2
    assert done.stderr.decode().startswith("vlmlens: ")
