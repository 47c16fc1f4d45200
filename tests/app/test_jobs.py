"""Long work: shared by content, cancelled when asked, failed in words."""

import threading

from streamlit.testing.v1 import AppTest

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
