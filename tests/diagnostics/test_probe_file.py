"""Probe sets from files: what is read, and one clear sentence for each thing that can be wrong."""

import json

import numpy as np
import pytest
from PIL import Image

from vlmlens.diagnostics import ProbeError, lab_probe, needs, own_probe, read_probe


@pytest.fixture
def folder(tmp_path):
    for index, name in enumerate(("a.png", "b.png", "c.png")):
        Image.fromarray(np.full((20, 30, 3), 60 * index, np.uint8)).save(tmp_path / name)
    return tmp_path


def written(folder, text, name="probe.csv"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_csv_is_read(folder):
    written(
        folder,
        "picture,question,answer,options,region\n"
        'a.png,"is it dark, or not?",Yes,yes|no,0 0 0.5 1\n'
        'b.png,"is it dark, or not?",no,,\n'
        "a.png,how many?,one,one|two|three,0 0 .2 .2; .5 .5 1 1\n",
    )
    probe = read_probe(folder)
    assert [p.name for p in probe.pictures] == ["a.png", "b.png"]
    assert probe.questions == ("is it dark, or not?", "how many?")
    assert probe.options == (("yes", "no"), ("one", "two", "three"))
    assert probe.asked.tolist() == [[True, True], [True, False]]
    assert probe.answers == {(0, 0): "yes", (1, 0): "no", (0, 1): "one"}
    assert probe.regions[0, 1] == ((0, 0, 0.2, 0.2), (0.5, 0.5, 1, 1))
    assert not probe.is_crossed


def test_jsonl_says_the_same(folder):
    lines = [
        {"picture": "a.png", "question": "dark?", "answer": "yes", "options": ["yes", "no"], "region": [0, 0, 0.5, 1]},
        {"picture": "b.png", "question": "dark?", "answer": "no"},
    ]
    path = written(folder, "\n".join(map(json.dumps, lines)) + "\n\n", "set.jsonl")
    probe = read_probe(path)
    assert probe.is_crossed
    assert probe.regions == {(0, 0): ((0, 0, 0.5, 1),)}
    assert probe.options == (("yes", "no"),)


def bad_files(folder):
    head = "picture,question,answer\n"
    (folder / "text.png").write_text("no picture")
    (folder / "cut.png").write_bytes((folder / "a.png").read_bytes()[:50])
    outside = folder.parent / "outside.png"
    outside.write_bytes((folder / "a.png").read_bytes())
    (folder / "link.png").symlink_to(outside)
    yield "missing column", "picture,question\na.png,x\n", "has no answer"
    yield "two missing columns", "file,question\na.png,x\n", "has no picture and no answer"
    yield "empty file", "", "has no picture"
    yield "no lines", head, "no questions"
    yield "short line", head + "a.png,why\n", "line 2"
    yield "long line", head + "a.png,why,a,b\n", "line 2"
    yield "open quote", head + 'a.png,"why,a\n', "is not CSV"
    yield "no question", head + "a.png,x,yes\nb.png, ,no\n", "line 3 has an empty question"
    yield "no picture named", head + ",x,yes\n", "empty picture"
    yield "no such picture", head + "z.png,x,yes\n", "There is no file"
    yield "a text", head + "text.png,x,yes\n", "not a picture"
    yield "a cut picture", head + "cut.png,x,yes\n", "line 2"
    yield "leaves upwards", head + "../outside.png,x,yes\n", "lies outside the folder"
    yield "absolute", head + f"{outside},x,yes\n", "lies outside the folder"
    yield "by a link", head + "link.png,x,yes\n", "lies outside the folder"
    yield "a null", head + "a\0.png,x,yes\n", "line 2"
    yield "one answer", head + "a.png,x,yes\nb.png,x,yes\n", "fewer than two possible answers"
    yield "twice", head + "a.png,x,yes\na.png,x,no\n", "already"
    yield "bad region", "picture,question,answer,region\na.png,x,yes,0 0 2 2\n", "0 to 1"
    yield "no region", "picture,question,answer,region\na.png,x,yes,here\n", "left top right bottom"


def test_everything_wrong_is_one_sentence_that_names_the_file(folder):
    for name, text, told in bad_files(folder):
        with pytest.raises(ProbeError) as error:
            read_probe(written(folder, text))
        message = str(error.value)
        assert told in message, (name, message)
        assert "\n" not in message
        assert "probe.csv" in message, (name, message)


@pytest.mark.parametrize(("line", "told"), [("{", "not JSON"), ("3", "no JSON object"), ('{"picture": 1}', "has no")])
def test_bad_jsonl(folder, line, told):
    with pytest.raises(ProbeError, match=told):
        read_probe(written(folder, line, "set.jsonl"))


def test_bytes_that_are_no_text(folder):
    (folder / "probe.csv").write_bytes(b"\xff\xfe\x00\xd8")
    with pytest.raises(ProbeError, match="UTF-8"):
        read_probe(folder)


def test_a_place_without_a_file(tmp_path):
    with pytest.raises(ProbeError, match="holds none of"):
        read_probe(tmp_path)
    with pytest.raises(ProbeError, match="There is no file"):
        read_probe(tmp_path / "nowhere.csv")


def test_the_card_says_beforehand_what_it_needs():
    small, large = lab_probe(0, 4, 2), lab_probe(0, 16, 8)
    assert not needs("override", small).enough
    assert needs("override", large).enough
    assert needs("override", large).items_needed == 69
    assert "too few" in needs("override", small).sentence()


def test_the_lab_probe_knows_truth_and_place():
    probe = lab_probe(3, 6, 16)
    assert probe.is_crossed
    assert len(probe.answers) == len(probe.regions) == 6 * 16
    question = probe.questions.index("what color is the circle")
    for picture, scene in enumerate(probe.pictures):
        circle = next(thing for thing in scene.things if thing.shape == "circle")
        assert probe.answers[picture, question] == circle.color
        ((left, top, _, _),) = probe.regions[picture, question]
        assert (round(left * 3), round(top * 3)) == (circle.column, circle.row)


def test_ones_own_picture_is_weak_evidence():
    probe = own_probe(Image.new("RGB", (40, 30), "red"), "what color is the circle?")
    assert len(probe.pictures) > 12
    assert "weak" not in probe.ensemble
    assert "variants of one" in probe.weak
    assert "red" in probe.options[0]
    with pytest.raises(ProbeError, match="two possible answers"):
        own_probe(Image.new("RGB", (40, 30)), "what is this?")
