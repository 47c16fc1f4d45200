"""Where to start is where one can: every suggestion is of a known family and fits the machine that it is given for."""

import re

import pytest

from vlmlens.models.families import FAMILIES
from vlmlens.models.fit import SPARE
from vlmlens.models.shortlist import GIB, SHORTLIST
from vlmlens.models.source import split


@pytest.mark.parametrize("row", SHORTLIST, ids=lambda row: row.name)
def test_a_suggestion_can_be_looked_into_and_fits(row):
    assert row.model_type in FAMILIES
    repo, _revision = split(row.name)
    assert re.fullmatch(r"[\w.-]+/[\w.-]+", repo)
    itemsize = 4 if row.machine == "a laptop" else 2
    assert SPARE * itemsize * row.billions * 1e9 < GIB[row.machine] * 2**30
    assert row.licence


def test_every_machine_has_one():
    assert {row.machine for row in SHORTLIST} == set(GIB)
    assert len({row.name for row in SHORTLIST}) == len(SHORTLIST)
