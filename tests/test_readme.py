"""The README's examples run as they stand there."""

import re
from pathlib import Path

import pytest

import vlmlens
from vlmlens.cli import main
from vlmlens.lab.draw import render
from vlmlens.lab.scenes import Scene, Thing
from vlmlens.models.families import ROWS

README = (Path(__file__).resolve().parents[1] / "README.md").read_text()


def test_the_python_example_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    render(Scene((Thing(0, "red", "circle", "large"),))).save("picture.png")
    codes = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(codes) == 3
    exec(compile("\n".join(codes), "README.md", "exec"), {})
    assert "Hiding the hottest region" in capsys.readouterr().out
    assert vlmlens.open_trace("run.safetensors").answer == "red"


def test_every_verb_of_the_readme_exists(capsys):
    verbs = set(re.findall(r"^vlmlens (\w+)", README, re.MULTILINE)) - {"shows"}
    assert verbs == {"models", "inspect", "pid", "evaluate", "perturb", "diagnose", "train", "cost", "lessons", "app"}
    for verb in verbs:
        with pytest.raises(SystemExit) as end:
            main([verb, "--help"])
        assert end.value.code == 0
    assert capsys.readouterr().out.count("usage:") == len(verbs)


def test_every_family_is_named():
    for family in ROWS.values():
        assert family.name in README


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (Path(__file__).resolve().parents[1] / target).exists(), target
