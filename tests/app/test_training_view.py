"""The Train view's logic, without a browser: a run from start to finish, stopped and resumed, and what goes wrong."""

import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from vlmlens.lab import runs
from vlmlens.lab.runs import delete, open_run, start
from vlmlens.lab.training import Plan
from vlmlens.ui.fusion.train import begin, kept, listing, pace, wanted, work

ROOT = Path(__file__).resolve().parents[2]
TINY = Plan("gated", width=16, batch=16, pool=256, steps=12, side=3)
FORM = {"width": 16, "batch": 16, "pool": 256, "steps": 12}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty folder of runs, a server that trains nothing, and short measurements."""
    monkeypatch.setenv("VLMLENS_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(runs, "QUESTIONS", 40)
    monkeypatch.setattr(pace, "tried", lambda plan, progress=None: pace.Pace(0.1, 0.1, "by the test"))
    work._registry()[1].clear()
    yield tmp_path / "runs"
    going = work.under_way()
    if going is not None:
        going.job.progress.cancel()
        assert going.job.done.wait(30)


def open_view(**link: str | list[str]) -> AppTest:
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=90)
    at.query_params.update(link)
    at.run().switch_page(str(ROOT / "app_pages" / "fusion.py"))
    at.query_params["view"] = "Train"
    return at.run()


def fill(at: AppTest, **changes: int) -> AppTest:
    for name, value in (FORM | changes).items():
        at.number_input(key=wanted.key(name)).set_value(value)
    at.segmented_control(key=wanted.key("side")).set_value(3)
    return at.run()


def until(at: AppTest, done) -> AppTest:
    """Run again and again, as the browser's fragment would."""
    for _ in range(300):
        if done(at):
            return at
        time.sleep(0.05)
        at.run()
    raise AssertionError(f"never happened; the page says {told(at)}")


def labels(at: AppTest) -> list[str]:
    return [button.label for button in at.button]


def told(at: AppTest) -> str:
    assert not at.exception
    return "\n".join(part.value for kind in (at.markdown, at.error, at.info, at.caption) for part in kind)


@pytest.fixture
def trained(folder, finished):
    """trained(name): a finished run, each a copy of one that was trained once."""

    def copy(name: str, wiring: str = "gated") -> runs.Run:
        shutil.copytree(finished[wiring], folder / name)
        return open_run(name)

    return copy


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folders = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VLMLENS_RUNS", str(tmp_path_factory.mktemp("finished")))
        patch.setattr(runs, "QUESTIONS", 40)
        for wiring in ("gated", "concat"):
            run = start(wiring, replace(TINY, wiring=wiring, steps=25))
            for _ in run.train():
                pass
            folders[wiring] = run.folder
    return folders


def test_with_no_run_it_teaches_and_suggests_one():
    at = open_view()
    assert "A first experiment" in told(at)
    assert at.selectbox(key="train-wiring").value == "gated"
    assert "Start training" in labels(at)
    assert "about a minute" in told(at) or "seconds" in told(at)
    assert not at.error
    assert not at.get("vega_lite_chart")


def test_what_would_learn_is_told_before_it_starts():
    at = open_view()
    assert "none of" in told(at)
    at.number_input(key="train-rate_pretrained").set_value(1e-4).run()
    assert "**100 %** of" in told(at)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("steps", 0, "Steps is a whole number from 1 to 20000, not 0."),
        ("width", 30, "Width 30 cannot be shared among 4 heads; take 28."),
        ("width", -3, "Width is a whole number from 4 to 256, not -3."),
        ("clip", 0.0, "Clip gradients at is a number above 0, not 0.0."),
        ("mix-color", -1.0, "The mix has a number from 0 up"),
    ],
)
def test_a_plan_that_cannot_be_is_told_in_the_words_of_the_form(name, value, sentence):
    at = open_view()
    at.number_input(key=wanted.key(name)).set_value(value).run()
    assert [error.value.startswith(sentence) for error in at.error] == [True], told(at)
    assert "Start training" not in labels(at)


def test_with_everything_frozen_nothing_starts():
    at = open_view()
    for name in ("rate_new", "rate_projection"):
        at.number_input(key=wanted.key(name)).set_value(0.0)
    at.run()
    assert "nothing would be learnt" in told(at)


@pytest.mark.parametrize("name", ["mine", "../mine", "x" * 99])
def test_a_name_that_is_taken_or_none_is_refused_where_it_is_typed(name, trained):
    before = trained("mine").card()
    at = fill(open_view())
    at.text_input(key=begin.NAME).set_value(name).run()
    at.button(key="train-start").click().run()
    assert len(at.error) == 1
    assert "mine" in at.error[0].value or "no name for a run" in at.error[0].value
    assert [run.name for run in runs.every()] == ["mine"]
    assert open_run("mine").card() == before


def test_a_run_from_start_to_finish_is_a_model_of_every_list():
    at = fill(open_view())
    at.text_input(key=begin.NAME).set_value("first").run()
    at.button(key="train-start").click().run()
    until(at, lambda at: "Open in Inspect" in labels(at))
    words = told(at)
    assert "Finished, it is right in" in words
    assert "After 12 steps it is right in" in words
    assert "All gates begin at 0" in words
    assert "a model that never looks could reach" in words
    assert len(at.get("vega_lite_chart")) == 5
    assert list(at.dataframe[0].value["run"]) == ["first"]
    assert at.text_input(key=begin.NAME).value == ""
    at.button(key="train-inspect").click().run()
    inspect = at.switch_page(str(ROOT / "app_pages" / "inspect.py")).run()
    assert "run:first" in inspect.selectbox(key="model").options
    assert inspect.selectbox(key="model").value == "run:first"


def test_stopped_it_stands_still_and_resumed_it_goes_on():
    at = fill(open_view(), steps=2000)
    at.button(key="train-start").click().run()
    until(at, lambda at: "The loss began at" in told(at))
    at.button(key="train-stop").click().run()
    until(at, lambda at: "Resume" in labels(at))
    reached = open_run("gated-0").curve().last.step
    assert f"Stopped after step {reached} of 2000" in told(at)
    assert 0 < reached < 2000
    time.sleep(0.3)
    assert open_run("gated-0").curve().last.step == reached
    at.button(key="train-resume").click().run()
    until(at, lambda at: work.find("gated-0").points[-1].step > reached + 3)
    assert [point.step for point in work.find("gated-0").points] == [
        *range(1, work.find("gated-0").points[-1].step + 1)
    ]


def test_paused_it_waits():
    at = fill(open_view(), steps=2000)
    at.button(key="train-start").click().run()
    until(at, lambda at: "The loss began at" in told(at))
    at.button(key="train-pause").click().run()
    time.sleep(0.5)
    held = len(work.under_way().points)
    time.sleep(0.5)
    assert len(work.under_way().points) == held
    at.run()
    at.button(key="train-go-on").click().run()
    until(at, lambda at: len(work.under_way().points) > held)


def test_another_session_finds_the_run_under_way_and_cannot_start_a_second():
    at = fill(open_view(), steps=2000)
    at.button(key="train-start").click().run()
    until(at, lambda at: work.under_way() is not None and work.under_way().points)
    other = open_view()
    assert {"Pause", "Stop"} <= set(labels(other))
    assert "“gated-0” is being trained" in told(other)
    assert "Start training" not in labels(other)
    other.button(key="train-stop").click().run()
    until(at, lambda at: "Resume" in labels(at))


def test_a_damaged_checkpoint_is_told_and_can_be_deleted(folder):
    run = start("broken", TINY)
    steps = run.train(interval=4)
    for _ in range(6):
        next(steps)
    steps.close()
    (folder / "broken" / "checkpoint.safetensors").write_bytes(b"nothing of the kind")
    at = open_view()
    at.button(key="train-resume").click().run()
    until(at, lambda at: at.error)
    assert "damaged" in at.error[0].value
    at.button(key="train-delete").click().run()
    assert not runs.every()
    assert "A first experiment" in told(at)


def test_a_run_that_cannot_be_read_is_named_and_can_be_deleted(folder, trained):
    trained("whole")
    (folder / "torn").mkdir()
    (folder / "torn" / "run.json").write_text("{")
    at = open_view()
    assert ["torn" in warning.value for warning in at.warning] == [True]
    at.button(key="train-delete-torn").click().run()
    assert not at.warning
    assert [run.name for run in runs.every()] == ["whole"]


def test_a_full_disk_is_told_where_one_starts(monkeypatch):
    def full(path, content):
        raise runs.CheckpointError("run.json could not be written: no space left on device.")

    at = fill(open_view())
    monkeypatch.setattr(runs, "write", full)
    at.button(key="train-start").click().run()
    assert ["no space left" in error.value for error in at.error] == [True]
    assert "Start training" in labels(at)


def test_a_link_restores_form_and_run_and_leaves_out_what_is_nonsense(trained):
    trained("one")
    link = {
        "train-wiring": "qformer",
        "train-steps": "77",
        "train-width": "wide",
        "train-prior": "7",
        "train-side": "4",
        "train-rate_new": "nan",
        "train-mix-count": "2.5",
        "train-run": ["one", "gone"],
    }
    at = open_view(**link)
    assert at.selectbox(key="train-wiring").value == "qformer"
    values = {name: at.number_input(key=wanted.key(name)).value for name in ("steps", "width", "rate_new", "mix-count")}
    assert values == {"steps": 77, "width": 64, "rate_new": 3e-3, "mix-count": 2.5}
    assert at.slider(key="train-prior").value == pytest.approx(0.3)
    assert at.multiselect(key="train-shown").value == ["one"]
    assert not at.error


def test_the_full_recipe_is_as_long_as_the_wiring_needs():
    at = open_view()
    at.segmented_control(key="train-recipe").set_value("Full").run()
    from vlmlens.lab.fusion import WIRINGS

    assert at.number_input(key="train-steps").value == WIRINGS["gated"].steps
    at.selectbox(key="train-wiring").set_value("qformer").run()
    assert at.number_input(key="train-steps").value == WIRINGS["qformer"].steps


def test_two_runs_are_compared_on_the_same_axes(trained):
    trained("one")
    trained("other", "concat")
    at = open_view(**{"train-run": ["one", "other"]})
    assert list(at.dataframe[0].value["run"]) == ["one", "other"]
    words = told(at)
    assert "inconclusive" in words or "do not touch" in words
    assert "Resume" not in labels(at)
    assert len(at.get("vega_lite_chart")) == 5
    at.multiselect(key="train-shown").set_value([]).run()
    assert "No run is chosen" in told(at)


def test_remedies_come_with_their_strength():
    at = open_view()
    at.multiselect(key="train-remedies").set_value(["entropy"]).run()
    at.slider(key="train-strength-entropy").set_value(0.5).run()
    fill(at)
    at.button(key="train-start").click().run()
    assert open_run("gated-0").plan.remedies == (("entropy", 0.5),)


def test_an_earlier_run_like_it_tells_how_long_it_takes(trained):
    run = trained("one")
    found = pace.known(Plan("gated", width=16, batch=16, pool=999, steps=100, side=3, seed=4), runs.every())
    assert found.total(run.plan) == pytest.approx(run.curve().last.seconds)
    assert pace.known(Plan("gated", width=32, batch=16, side=3), runs.every()) is None


def test_a_few_steps_are_tried_where_there_is_no_earlier_run(monkeypatch):
    monkeypatch.undo()
    found = pace.tried(TINY)
    assert found.seconds > 0
    assert found.block >= 0
    assert found.total(Plan("gated", steps=200)) > found.total(Plan("gated", steps=100))


def test_the_table_says_what_was_never_measured():
    start("new", TINY)
    row = listing.row(open_run("new"))
    assert row["state"] == "not begun"
    assert row["accuracy"].startswith("n/a")
    assert not kept.points(open_run("new"))
    delete("new")
