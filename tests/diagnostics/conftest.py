"""Cards of planted models over one small probe set, each made once."""

from functools import cache

import pytest

SCENES, QUESTIONS = 28, 8


@pytest.fixture(scope="session")
def small_probe():
    from vlmlens.diagnostics import lab_probe

    return lab_probe(0, SCENES, QUESTIONS)


@pytest.fixture(scope="session")
def card(model, small_probe):
    """card("planted:blind")"""
    from vlmlens.diagnostics import run

    return cache(lambda name: run(model(name), small_probe))
