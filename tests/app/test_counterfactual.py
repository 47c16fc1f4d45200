"""The Counterfactual page's logic, without a browser: changes, links, bad input in words, folds, the tray."""

import json
import re
from pathlib import Path
from zlib import crc32

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

import vlmlens
from vlmlens.attention.masking import noise_floor
from vlmlens.counterfactual.runs import Run
from vlmlens.counterfactual.tray import Tray
from vlmlens.lab.draw import render
from vlmlens.lab.scenes import Scene, Thing
from vlmlens.perturb import Region, Step, run
from vlmlens.picture import encode_png
from vlmlens.ui.counterfactual import FOLDS, hints
from vlmlens.ui.counterfactual.changes import Changes, Word
from vlmlens.ui.counterfactual.history import History

ROOT = Path(__file__).resolve().parents[2]
SCENE = Scene((Thing(0, "red", "circle", "large"), Thing(8, "blue", "square", "small")))
QUESTION = "what color is the circle?"
BOX = Region.box(0.0, 0.0, 0.34, 0.34)  # the circle's cell
FILL = Step("fill-mean", 1.0, region=BOX)
MARK = {"kind": "box", "points": [[0.0, 0.0], [0.34, 0.34]], "radius": 0.0}


def start(changes: Changes | str | None = None, settle=None, **link: str) -> AppTest:
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    at.switch_page("app_pages/counterfactual.py")
    at.query_params.update({"scene": SCENE.to_json(), "q": QUESTION, **link})
    if changes is not None:
        at.query_params["changes"] = changes if isinstance(changes, str) else changes.to_json()
    at.run()
    return settle(at) if settle else at


def shown(at: AppTest) -> str:
    """What stands about the answers."""
    found = [html.proto.body for html in at.get("html") if 'class="pairs"' in html.proto.body]
    assert found, [*(e.value for e in at.error), *(i.value for i in at.info)]
    return str(found[0])


def now(at: AppTest) -> Changes:
    found: Changes = at.session_state["counterfactual"].now
    return found


def told(at: AppTest, *rows: tuple[int, dict[str, object]], settled: bool = True) -> AppTest:
    """As the list tells it: which rows, in which order, with which values."""
    version = str(at.session_state["counterfactual"].version)
    listed = [{"row": row, "values": values} for row, values in rows]
    at.session_state["steps"] = {"told": {"version": version, "settled": settled, "rows": listed}}
    return at.run()


def add(at: AppTest, group: str, name: str) -> AppTest:
    at.session_state["change-group"] = group
    at.run()
    return next(box for box in at.selectbox if box.label == "Add a change").set_value(name).run()


def words_of(at: AppTest) -> str:
    return " ".join([*(w.value for w in at.warning), *(e.value for e in at.error), *(i.value for i in at.info)])


def test_the_page_shows_what_the_library_computes():
    at = start(Changes(steps=(FILL,)))
    vlm = vlmlens.load("lab:concat")
    picture = render(SCENE)
    before, after = vlm.inspect(picture, QUESTION), vlm.inspect(run(picture, [FILL]).image, QUESTION)
    assert before.answer != after.answer
    label = f"{before.answer} {before.answers[0].probability:.3f} then {after.probabilities[before.answer]:.3f}"
    assert label in shown(at)
    assert any(f"{before.answer} → {after.answer}<small>flipped" in html.proto.body for html in at.get("html"))
    assert not at.exception


def test_the_sentence_gives_the_measured_change_and_the_measured_floor():
    at = start(Changes(steps=(FILL,)))
    vlm = vlmlens.load("lab:concat")
    picture = render(SCENE)
    answer = vlm.inspect(picture, QUESTION).answers[0]
    after = vlm.inspect(run(picture, [FILL]).image, QUESTION).probabilities[answer.text]
    floor = noise_floor(vlm, picture, QUESTION, answer.candidate) * answer.probability
    said = " ".join(html.value for html in at.markdown)
    assert f"The change of {abs(after - answer.probability):.2g} is beyond the noise floor of {floor:.2g}." in said


def test_a_slider_moves_the_answer_and_can_be_undone():
    at = start(Changes(steps=(FILL,)))
    full = shown(at)
    told(at, (0, {"strength": 0.4}), settled=False)
    told(at, (0, {"strength": 0.2}))
    assert now(at).steps[0].strength == 0.2
    assert now(at).steps[0].region == BOX
    assert shown(at) != full
    assert '"strength":0.2' in "".join(at.query_params["changes"])
    at.button(key="changes-Undo").click().run()  # one drag is one change
    assert now(at).steps[0].strength == 1.0
    assert shown(at) == full
    at.button(key="changes-Redo").click().run()
    assert now(at).steps[0].strength == 0.2


def test_changes_change_places_and_go():
    at = start(Changes(steps=(Step("noise", 0.5), Step("blur", 0.5)), words=(Word("hint", text="the circle is blue"),)))
    told(at, (1, {"strength": 0.5}), (0, {"strength": 0.5, "seed": "7"}), (2, {"text": "the circle is red"}))
    assert [(step.name, step.seed) for step in now(at).steps] == [("blur", 0), ("noise", 7)]
    assert now(at).words[0].text == "the circle is red"
    told(at, (1, {}), (2, {}))
    assert [step.name for step in now(at).steps] == ["blur"]
    at.button(key="changes-Clear all").click().run()
    assert now(at).none


def test_a_region_change_needs_a_region_and_takes_the_marked_one():
    at = start()
    add(at, "region", "fill-blur")
    assert now(at).none
    assert "none is marked" in words_of(at)
    version = f"{crc32(SCENE.to_json().encode()):x}"
    at.session_state["paint"] = {"mark": {"version": version, "region": MARK, "to": None}}
    at.run()
    add(at, "region", "fill-blur")
    assert now(at).steps == (Step("fill-blur", 1.0, region=BOX),)
    assert "none is marked" not in words_of(at)
    add(at, "region", "move")
    assert now(at).steps[1].to is not None
    at.session_state["paint"] = {"mark": {"version": version, "region": MARK, "to": [0.5, 0.75]}}
    at.run()
    assert now(at).steps[1].to == (0.5, 0.75)
    at.button(key="changes-Undo").click().run()  # the ring on the picture does not bring it back
    assert now(at).steps[1].to != (0.5, 0.75)


BAD_LINKS = {
    "not json": ("{", "not JSON"),
    "unknown change": ('[{"name":"explode"}]', "There is no change called explode"),
    "empty region": ('[{"name":"fill-mean","region":{"lasso":[0.1,0.1]}}]', "empty or half drawn"),
    "words that are none": ('{"words":[{"name":"shout"}]}', "no change of words called shout"),
    "a scene that is none": ('{"scene":{"things":[{"cell":99}]}}', "not a lab scene"),
    "something else": ('{"sound":[]}', "Changes are written"),
}


@pytest.mark.parametrize("name", BAD_LINKS)
def test_a_bad_link_is_told_in_words_and_the_page_stands(name: str):
    link, words = BAD_LINKS[name]
    at = start(link)
    assert words in words_of(at)
    assert "red" in shown(at)
    assert not at.exception


BAD_CHANGES = {
    "region outside": (Changes(steps=(Step("fill-mean", 1.0, region=Region.box(1.2, 1.2, 1.5, 1.5)),)), "lies outside"),
    "region without a pixel": (
        Changes(steps=(Step("fill-mean", 1.0, region=Region.box(0.501, 0.501, 0.502, 0.502)),)),
        "holds no pixel",
    ),
    "donor that is gone": (Changes(steps=(Step("donor", 1.0, donor="f" * 64),)), "choose it again"),
    "unknown word": (Changes(words=(Word("hint", text="the unicorn is pink"),)), "“unicorn”"),
    "too long": (Changes(words=(Word("filler", words=12, wording="lab"),)), "up to 12 words"),
    "nothing to negate": (Changes(words=(Word("ask", text="circle color"), Word("negation"))), "to negate"),
}


@pytest.mark.parametrize("name", BAD_CHANGES)
def test_what_cannot_be_done_is_told_in_words(name: str):
    changes, words = BAD_CHANGES[name]
    at = start(changes)
    assert words in words_of(at)
    assert now(at) == changes  # still there, to be mended
    assert not at.exception
    at.button(key="changes-Clear all").click().run()
    assert "red" in shown(at)


def test_hints_are_in_the_words_of_the_lab():
    at = start()
    add(at, "words", "hint-misleading")
    assert now(at).words[0].text == "the circle is orange"
    add(at, "words", "filler")
    assert now(at).words[1].wording == "lab"
    told(at, (0, {"text": "the circle is orange"}), (1, {"words": "2", "wording": "lab"}))
    assert not at.error
    assert "then" in shown(at)
    assert hints.hint("helpful", QUESTION, SCENE) == "the circle is red"


def test_a_composed_scene_changes_what_is_true():
    after = SCENE.edit(0, color="green")
    at = start(Changes(scene=after))
    true = next(html.proto.body for html in at.get("html") if 'class="truth"' in html.proto.body)
    assert "before: red" in true
    assert "after: green" in true
    assert "right ✓" in true
    changed = hints.truths(QUESTION, SCENE, after)
    assert "what color is the circle?" in changed
    assert "is there a green circle?" in changed
    assert "what size is the circle?" not in changed
    at.session_state.source = type(at.session_state.source).of_scene(SCENE.without(8))
    at.run()
    assert now(at).scene is None  # it belonged to the other scene


@pytest.mark.parametrize("name", [model.name for model in vlmlens.models.lab_models()])
def test_every_model_is_compared(name: str, settle):
    at = start(Changes(steps=(FILL,), words=(Word("hint", text="the circle is blue"),)), settle, model=name)
    trace = vlmlens.load(name).inspect(render(SCENE), QUESTION)
    assert f"{trace.answer} {trace.answers[0].probability:.3f} then" in shown(at)
    assert not at.error
    assert not at.exception


SAID = {
    "dose": "strength",
    "smallest": "of 36 patches",
    "patching": "States of the clean run restore",
    "effects": "changed the most",
    "looks": "the hottest patch",
}


@pytest.mark.parametrize("fold", [fold.name for fold in FOLDS if not fold.without])
def test_every_fold_answers_its_question(fold: str, settle):
    at = start(Changes(steps=(FILL,)))
    at.session_state[f"fold-{fold}"] = True
    settle(at.run())
    said = " ".join(m.value for m in at.markdown)
    assert SAID[fold] in said
    assert not at.error
    assert not at.exception


def test_the_changes_are_pasted_and_a_bad_text_leaves_them(settle):
    at = start(Changes(steps=(FILL,)))
    at.session_state["as-json"] = True
    at.run()
    assert any(
        json.loads(code.value)["picture"][0]["name"] == "fill-mean" for code in at.code if code.language == "json"
    )
    at.text_area(key="changes-paste").set_value("{").run()
    next(button for button in at.button if button.label == "Use them").click().run()
    assert "What was there is still there." in words_of(at)
    assert now(at).steps == (FILL,)
    at.text_area(key="changes-paste").set_value('[{"name":"blur","strength":0.25}]').run()
    next(button for button in at.button if button.label == "Use them").click().run()
    assert now(at) == Changes(steps=(Step("blur", 0.25),))


def test_the_tray_keeps_what_it_has():
    at = start(Changes(steps=(FILL,)))
    at.session_state["fold-tray"] = True
    at.run()
    for name in ("one", "two", "one"):
        at.text_input(key="tray-name").set_value(name).run()
        at.button(key="tray-keep").click().run()
    assert "choose another name" in at.error[0].value
    assert any("**2** kept" in m.value for m in at.markdown)
    assert any("“one” and “two”" in m.value for m in at.markdown)
    at.file_uploader(key="tray-file-0").upload("tray.json", b"[", "application/json").run()
    assert any("The tray is as it was." in e.value for e in at.error)
    trace = vlmlens.load("lab:txt2img").inspect(SCENE, QUESTION)
    other = Tray().add(Run.of("one", trace, scene=SCENE)).to_json().encode()
    at.file_uploader(key="tray-file-1").upload("tray.json", other, "application/json").run()
    assert any("**3** kept" in m.value for m in at.markdown)
    at.selectbox(key="tray-one").set_value("one (2)").run()
    assert any("different layers" in i.value for i in at.info)
    at.switch_page("app_pages/inspect.py").run()
    at.switch_page("app_pages/counterfactual.py")
    at.session_state["fold-tray"] = True
    at.run()
    assert any("**3** kept" in m.value for m in at.markdown)


def test_a_bad_upload_loses_nothing():
    at = start(Changes(steps=(FILL, Step("donor", 0.5, donor="example 2"))))
    before = shown(at)
    at.session_state["donor-popover"] = True
    at.run()
    cut = encode_png(render(SCENE))[:200]
    at.file_uploader(key="donor-file").upload("cut.png", cut, "image/png").run()
    assert "still used" in words_of(at)
    assert shown(at) == before
    good = encode_png(Image.new("RGB", (30, 20), "purple"))
    at.file_uploader(key="donor-file").upload("good.png", good, "image/png").run()
    assert re.fullmatch("[0-9a-f]{64}", now(at).steps[1].donor)
    assert shown(at) != before


def test_everything_can_be_taken_away_and_the_lines_of_python_run():
    from vlmlens.ui.counterfactual.save import as_python

    changes = Changes(
        SCENE.edit(0, color="green"),
        (FILL, Step("donor", 0.5, donor="example 2")),
        (Word("hint", text="the circle is blue"), Word("filler", words=2, wording="lab", seed=3)),
    )
    at = start(changes)
    at.session_state["save-change"] = True
    at.run()
    labels = {button.proto.label for button in at.get("download_button")}
    assert {"Numbers, JSON", "Answers, CSV", "Budgets, CSV", "Picture after the changes, PNG"} <= labels
    runs = at.session_state["counterfactual-shown"]
    found: list[str] = []
    exec(as_python(runs), {"print": found.append})
    assert found == [runs.difference.sentence()]


def test_changes_and_their_history_are_what_they_were():
    changes = Changes(
        SCENE, (FILL, Step("noise", 0.3, 4)), (Word("negation"), Word("hint", text="a “hint”", place="after"))
    )
    assert Changes.from_json(changes.to_json()) == changes
    assert Changes.from_json(Changes().to_json()).none
    one, two = Changes(steps=(FILL,)), Changes(steps=(Step("blur"),))
    walked = History().made(one).told(two, (0,), settled=False).told(one, (0,), settled=False).told(two, (0,))
    assert walked.past == (Changes(), one)
    assert walked.undone().now == one
    assert walked.undone().undone().now.none
    assert walked.undone().redone().now == two
    assert walked.undone().made(Changes()).future == ()
