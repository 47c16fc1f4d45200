"""No head start for a browser that is not there."""

import pytest


@pytest.fixture(autouse=True)
def no_head_start(monkeypatch):
    from vlmlens.ui import look

    monkeypatch.setattr(look, "HEAD_START", 0.0)
