"""No head start for a browser that is not there, and fewer random maps."""

import time

import pytest


@pytest.fixture
def settle():
    """settle(at): run again while work is under way, as the browser's fragment would."""

    def run(at):
        for _ in range(300):
            if not any(button.label in ("Stop", "Cancel") for button in at.button):
                return at
            time.sleep(0.1)
            at.run()
        raise AssertionError("the page never finished its work")

    return run


@pytest.fixture(autouse=True)
def no_head_start(monkeypatch):
    from vlmlens.ui import look

    monkeypatch.setattr(look, "HEAD_START", 0.0)


@pytest.fixture(autouse=True)
def few_random_maps(monkeypatch):
    """They take seconds; the verdict is tested with the library."""
    from vlmlens.attribution import faithfulness
    from vlmlens.ui.inspect import badge

    monkeypatch.setattr(badge, "LULL", 0.0)
    monkeypatch.setattr(faithfulness, "DRAWS", 3)
