"""The Diagnostics page's logic, without a browser: what is run, what a link restores, what goes wrong in words."""

import io
import json
import re
import zipfile
from pathlib import Path
from types import FunctionType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from streamlit.testing.v1 import AppTest

import vlmlens
from vlmlens.charts import SCALES
from vlmlens.cli import main
from vlmlens.diagnostics import TESTS, compare, lab_probe, run
from vlmlens.errors import UserError
from vlmlens.lab.draw import draw
from vlmlens.lab.sample import crossed
from vlmlens.lab.scenes import Scene
from vlmlens.picture import encode_png
from vlmlens.progress import Cancelled, Progress
from vlmlens.ui.diagnostics import drawer, files, save, wanted, words, work
from vlmlens.ui.source import Source

ROOT = Path(__file__).resolve().parents[2]
QUICK = {
    "probe": "lab scenes",
    "scenes": "12",
    "questions": "4",
    "tests": "dependency,information",
    "model": "lab:concat",
}
TABLE = "picture,question,answer\na.png,is there a star?,yes\nb.png,is there a star?,no\n"


@pytest.fixture
def opened(settle):
    """opened(link) -> the page as that link opens it, its work done."""

    def start(**link: str) -> AppTest:
        at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=90)
        at.switch_page(str(ROOT / "app_pages" / "diagnostics.py"))
        at.query_params.update(link)
        return settle(at.run())

    return start


@pytest.fixture
def folder(tmp_path):
    """Four drawn scenes with two questions each, and their table."""
    scenes, _, _ = crossed(3, 4)
    lines = ["picture,question,answer,options"]
    for number, scene in enumerate(scenes):
        (tmp_path / f"{number}.png").write_bytes(encode_png(draw(scene, 64)))
        for shape in ("circle", "star"):
            color = next((thing.color for thing in scene.things if thing.shape == shape), "red")
            lines.append(f"{number}.png,what color is the {shape}?,{color},red|green|blue")
    (tmp_path / "questions.csv").write_text("\n".join(lines))
    return tmp_path


def told(at: AppTest) -> str:
    """Everything that a person reads on the page."""
    assert not at.exception
    kinds = ("html", "markdown", "caption", "info", "warning", "error")
    parts = [getattr(one.proto, "body", "") for kind in kinds for one in at.get(kind)]
    return re.sub(r"<style>.*?</style>|<[^>]+>", " ", "\n".join(parts), flags=re.S).replace("\\", "")


def verdicts(at: AppTest) -> dict[str, str]:
    """What the strip over the card says."""
    (strip,) = (html.proto.body for html in at.get("html") if 'diag-strip"' in html.proto.body)
    return dict(re.findall(r"<span>(\w+) <span class=\"[^\"]+\">\S (\w+)</span>", strip))


def test_it_opens_with_a_first_look_and_says_so(opened, monkeypatch):
    from vlmlens.ui import diagnostics

    few = wanted.Lab(12, 2)
    monkeypatch.setattr(wanted, "FIRST_LOOK", few)
    monkeypatch.setattr(diagnostics, "FIRST_LOOK", few)
    at = opened()
    assert set(verdicts(at)) == set(TESTS)
    assert "A first look at lab:concat: 12 scenes x 2 questions" in told(at)
    assert "INCONCLUSIVE" in verdicts(at).values()  # so few items cannot say much


def test_the_card_is_the_librarys(opened):
    at = opened(**QUICK)
    card = run(vlmlens.load("lab:concat"), lab_probe(0, 12, 4), ["dependency", "information"])
    assert verdicts(at) == {row.name: row.verdict for row in card.rows}
    text = told(at)
    for row in card.rows:
        assert row.sentence in text
        assert f"n {row.n}" in text
    assert card.diagnosis.advice in text
    items = next(frame.value for frame in at.dataframe if "word" in frame.value)
    assert items["word"].value_counts().to_dict() == dict(card.diagnosis.counts)


def test_what_each_test_needs_is_said_before_it_runs(opened, settle):
    at = opened(**QUICK)
    at.number_input(key="diag-scenes").set_value(20)
    settle(at.run())
    label = at.checkbox(key="diag-test-information").label
    assert "needs 126, has 80 ~ too few" in label
    assert "has not been run" in told(at)
    assert "12 lab scenes x 4 questions" in told(at)  # the old card stays, and says what it is of


def test_the_button_runs_what_stands_on_the_left_and_the_link_restores_it(opened, settle):
    at = opened(**QUICK)
    at.number_input(key="diag-scenes").set_value(13)
    at.number_input(key="diag-seed").set_value(2)
    settle(at.run())
    at.button[next(i for i, b in enumerate(at.button) if b.label == "Run the card")].click()
    settle(at.run())
    link = {name: one if isinstance(one, str) else one[0] for name, one in at.query_params.items()}
    assert (link["scenes"], link["seed"], link["tests"]) == ("13", "2", "dependency,information")
    again = opened(**link)
    assert verdicts(again) == verdicts(at)
    assert again.number_input(key="diag-scenes").value == 13
    assert told(again).count("13 held-out") == told(at).count("13 held-out")


def test_a_link_with_numbers_that_are_none_opens_with_what_stands_there_otherwise(opened):
    at = opened(
        **(QUICK | {"seed": "-3", "scenes": "12", "questions": "no", "probe": "lab scenes", "tests": "dependency"})
    )
    assert at.number_input(key="diag-seed").value == 0
    assert at.number_input(key="diag-questions").value == 16
    assert set(verdicts(at)) == {"dependency"}


def test_a_folder_is_read_and_its_items_open_in_inspect(opened, settle, folder):
    at = opened(**(QUICK | {"probe": "my files", "path": str(folder), "tests": "dependency"}))
    assert verdicts(at) == {"dependency": "INCONCLUSIVE"}  # eight items
    at.toggle(key="diag-drawer-dependency").set_value(True)
    settle(at.run())
    links = re.findall(r"\[Open in Inspect\]\(\./\?([^)]+)\)", "\n".join(one.value for one in at.markdown))
    assert len(links) == 8
    asks = parse_qs(links[0])
    assert asks["model"] == ["lab:concat"]
    assert asks["q"][0].startswith("what color is the")
    assert Source("upload", asks["picture"][0]).load().size == (64, 64)


def test_a_scene_goes_whole_into_the_link_to_inspect():
    scene = crossed(3, 1)[0][0]
    link = parse_qs(urlsplit(drawer.inspect_link("lab:concat", scene, "is it (red)?")).query)
    assert Scene.from_json(link["scene"][0]) == scene
    assert link["q"] == ["is it (red)?"]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("picture,question\n0.png,is it red?\n", "has no answer"),
        ("picture,question,answer\n../outside.png,is it red?,yes\n", "lies outside the folder"),
        ("picture,question,answer\nbroken.png,is it red?,yes\n", "line 2"),
        ("picture,question,answer\n", "holds no questions"),
        (None, "holds none of"),
    ],
)
def test_files_that_cannot_be_used_are_told_in_words_and_nothing_is_lost(opened, settle, tmp_path, table, said):
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    if table is not None:
        (tmp_path / "questions.csv").write_text(table)
    at = opened(**(QUICK | {"tests": "dependency"}))
    before = verdicts(at)
    at.segmented_control(key="diag-kind").set_value("my files").run()
    at.text_input(key="diag-path").set_value(str(tmp_path)).run()
    settle(at)
    assert len(at.error) == 1
    assert said in at.error[0].value
    assert verdicts(at) == before
    assert next(button for button in at.button if button.label == "Run the card").disabled


def test_uploaded_files_are_kept_by_what_they_hold(folder):
    uploads = [(path.name, path.read_bytes()) for path in sorted(folder.iterdir())]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in uploads:
            archive.writestr(f"inner/{name}", data)
        archive.writestr("inner/readme.md", "left out")
    loose, zipped = files.keep(uploads), files.keep([("all.zip", packed.getvalue())])
    assert loose == files.keep(uploads[::-1])
    for digest in (loose, zipped):
        probe = work._read(wanted.Files("", digest), 0)
        assert len(probe.pictures) == 4
        assert not list(files.table(digest).parent.glob("readme.md"))


@pytest.mark.parametrize("name", ["../questions.csv", "/questions.csv", "C:\\questions.csv"])
def test_a_zip_cannot_write_beside_its_folder(name):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(name, TABLE)
    with pytest.raises(UserError, match="outside its folder"):
        files.keep([("all.zip", packed.getvalue())])


@pytest.mark.parametrize(
    ("uploads", "said"),
    [([("a.png", b"x")], "no CSV or JSONL"), ([("all.zip", b"no zip")], "cannot be unpacked")],
)
def test_uploads_that_cannot_be_used_say_why(uploads, said):
    with pytest.raises(UserError, match=said):
        files.keep(uploads)


def test_a_link_to_files_that_are_gone_says_so(opened):
    at = opened(**(QUICK | {"probe": "my files", "files": "0" * 64}))
    assert any("Upload them again" in error.value for error in at.error)


def test_the_persons_own_picture_is_weak_evidence(opened):
    scene = crossed(3, 1)[0][0]
    at = opened(probe="my picture", scene=scene.to_json(), q="what color is the star?", tests="dependency")
    assert "Weak evidence" in told(at)
    assert list(verdicts(at)) == ["dependency"]


def test_a_second_model_is_told_as_differences(opened):
    at = opened(**(QUICK | {"second": "lab:img2txt"}))
    probe = lab_probe(0, 12, 4)
    cards = [run(vlmlens.load(name), probe, ["dependency", "information"]) for name in ("lab:concat", "lab:img2txt")]
    table = next(frame.value for frame in at.dataframe if "difference (95 %)" in frame.value)
    for change, said in zip(compare(*cards), table["differs"], strict=True):
        assert said == ("yes" if change.differs else "not shown")


def test_a_run_that_was_stopped_goes_on_from_there():
    vlm, probe = vlmlens.load("lab:concat"), lab_probe(5, 12, 3)
    asked = wanted.Asked("lab:concat", wanted.Lab(12, 3), 5, ("dependency", "information"))
    progress = Progress()
    running = work.fill(vlm, probe, asked, progress)
    assert not next(running).card.rows
    next(running)
    progress.cancel()
    with pytest.raises(Cancelled):
        list(running)
    kept = dict(work._kept(vlm, probe).kept)
    assert kept
    *_, found = work.fill(vlm, probe, asked, Progress())
    fresh = run(vlmlens.load("lab:concat"), probe, ["dependency", "information"], 5)
    assert json.dumps(found.card.to_dict()) == json.dumps(fresh.to_dict())
    assert kept.keys() < work._kept(vlm, probe).kept.keys()


def test_the_lines_to_take_away_make_the_same_card(capsys):
    wanted_card = wanted.Asked("lab:concat", wanted.Lab(12, 3), 5, ("dependency", "information"))
    made: dict[str, Any] = {}
    lines = compile(save.as_python(wanted_card), "lines", "exec")
    FunctionType(lines, made)()
    main(save.as_command(wanted_card).split()[1:])
    printed = json.loads(capsys.readouterr().out.split("\n", 1)[1])
    assert printed["tests"] == made["card"].to_dict()["tests"]
    assert printed["diagnosis"] == made["card"].diagnosis.name


def test_what_drives_the_context_test_is_what_was_said_with_the_filler():
    vlm, probe = vlmlens.load("lab:concat"), lab_probe(0, 12, 6)
    for one in run(vlm, probe, ["context"]).row("context").evidence:
        trace = vlm.inspect(probe.pictures[one.picture], one.text)
        among = [answer.text for answer in trace.answers if answer.text in probe.options[one.question]]
        assert one.answer == among[0]


def test_every_test_has_its_scale_and_its_words():
    assert set(TESTS) == set(SCALES) == set(words.TESTS)


def test_a_model_that_takes_a_while_is_not_run_unasked(opened):
    at = opened(model="nobody/nothing")
    text = told(at)
    assert "nothing has been run yet" in text
    for test in TESTS.values():
        assert test.question in text
    assert not at.error


def test_an_uploaded_zip_is_read_run_and_linked(opened, settle, folder):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path in folder.iterdir():
            archive.write(path, path.name)
    at = opened(**(QUICK | {"tests": "dependency"}))
    at.segmented_control(key="diag-kind").set_value("my files").run()
    at.file_uploader[0].upload("probe.zip", packed.getvalue(), "application/zip").run()
    settle(at)
    assert "Read: 8 questions about 4 pictures" in told(at)
    next(button for button in at.button if button.label == "Run the card").click()
    settle(at.run())
    assert verdicts(at) == {"dependency": "INCONCLUSIVE"}
    link = {name: one if isinstance(one, str) else one[0] for name, one in at.query_params.items()}
    assert verdicts(opened(**link)) == verdicts(at)
    assert len(link["files"]) == 64
