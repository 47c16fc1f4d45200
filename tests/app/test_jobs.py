"""Long work: shared by content, cancelled when asked, failed in words."""

import threading

from streamlit.testing.v1 import AppTest

from vlmlens.progress import Cancelled

SCRIPT = """
import streamlit as st, time
from vlmlens.ui.jobs import result
from vlmlens.ui.look import guard

def slow(progress):
    for part in progress.over(range(200), 200, "part"):
        time.sleep(0.02)
    return "finished"

with guard():
    st.write(result(st.session_state.get("job", "a"), "Counting", slow))
"""


def test_long_work_shows_a_bar_and_stops_when_cancelled():
    at = AppTest.from_string(SCRIPT, default_timeout=30)
    at.session_state.job = "cancelled"
    at.run()
    assert [button.label for button in at.button] == ["Cancel"]
    at.button[0].click().run()
    for _ in range(20):
        if at.error:
            break
        at.run()
    assert at.error[0].value.startswith("Cancelled")
    assert not [thread for thread in threading.enumerate() if thread.name == "Counting"]


def test_results_are_kept_by_their_size(monkeypatch, llava):
    from vlmlens.lab.scenes import Scene, Thing
    from vlmlens.ui import jobs

    trace = llava.inspect(Scene((Thing(0, "red", "circle", "large"),)), "what color is the circle?")
    fields = ("attention", "visible", "parts", "update")
    rows = sum(a.nbytes for record in trace.rows.values() for name in fields for a in getattr(record, name))
    grid = (trace.grid.boxes, trace.grid.positions, trace.grid.wide_boxes, trace.grid.wide_positions)
    assert jobs.arrays_in(trace) == rows + sum(a.nbytes for a in (*grid, trace.segments, trace.peaks))
    assert jobs.arrays_in(("words", 3, None)) == 0
    _lock, registry = jobs._registry()
    registry.clear()
    monkeypatch.setattr(jobs, "MOST_BYTES", 2.5 * jobs.arrays_in(trace))
    for name in "abcd":
        jobs._job(name, name, lambda _progress: trace).done.wait(10)
    jobs._job("e", "e", lambda _progress: 1).done.wait(10)
    assert list(registry) == ["c", "d", "e"]
    registry.clear()


def test_finished_work_is_shared():
    at = AppTest.from_string(SCRIPT.replace("0.02", "0.0"), default_timeout=30)
    at.session_state.job = "shared"
    at.run()
    assert at.markdown[0].value == "finished"


def test_what_fails_unexpectedly_is_told_without_a_trace(caplog):
    at = AppTest.from_string(SCRIPT.replace('return "finished"', "1 / 0").replace("0.02", "0.0"), default_timeout=30)
    at.session_state.job = "broken"
    at.run()
    assert "ZeroDivisionError" in at.error[0].value
    assert "Traceback" not in at.error[0].value
    assert not at.exception
    assert caplog.records


def test_a_session_waits_for_one_piece_of_work_of_a_group():
    from vlmlens.ui.jobs import _registry

    script = SCRIPT.replace("slow))", 'slow, group="verdict"))')
    at = AppTest.from_string(script, default_timeout=30)
    at.session_state.job = "left behind"
    at.run()
    job = _registry()[1]["left behind"]
    at.session_state.job = "wanted now"
    at.run()
    assert job.done.wait(5)
    assert isinstance(job.error, Cancelled)
    assert "left behind" not in _registry()[1]
    assert _registry()[1]["wanted now"].error is None


def test_work_that_another_session_waits_for_goes_on():
    from vlmlens.ui.jobs import _registry

    script = SCRIPT.replace("slow))", 'slow, group="verdict"))')
    one, other = (AppTest.from_string(script, default_timeout=30) for _ in range(2))
    for at in (one, other):
        at.session_state.job = "shared by two"
        at.run()
    job = _registry()[1]["shared by two"]
    job.waiting.add("another session")
    one.session_state.job = "something else"
    one.run()
    assert job.done.wait(20)
    assert job.value == "finished"


COMING_BACK = """
import streamlit as st
from vlmlens.ui.jobs import DIALOG, _come_back

st.session_state.runs = st.session_state.get("runs", 0) + 1
if st.session_state.runs == 1:
    _come_back()
st.write(f"run {st.session_state.runs}")
"""


def test_work_that_ends_does_not_close_a_dialog():
    from vlmlens.ui.jobs import DIALOG

    at = AppTest.from_string(COMING_BACK)
    assert at.run().markdown[0].value == "run 2"
    at = AppTest.from_string(COMING_BACK)
    at.session_state[DIALOG] = True
    assert at.run().markdown[0].value == "run 1"
