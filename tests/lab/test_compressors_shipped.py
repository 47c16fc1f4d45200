"""Shipped compressors: each is there, they answer as measured, a learned choice beats chance, the page is theirs."""

import json

import pytest

from vlmlens.lab.compress import BUDGETS, COMPRESSORS
from vlmlens.lab.compress.measured import read
from vlmlens.lab.compress.weights import card_of, load_compressed, trained_seeds
from vlmlens.lab.weights import SEEDS


@pytest.fixture(scope="module")
def compression(script):
    return script("compression")


@pytest.fixture(scope="module")
def held_out(compression):
    return compression.pool_of("test", compression.SAMPLE, compression.QUESTIONS)


@pytest.mark.parametrize("name", COMPRESSORS)
def test_the_first_seed_is_there_with_its_card_and_numbers_of_all(name):
    assert trained_seeds(name)[0] == 0
    assert read().budgets(name) == COMPRESSORS[name].budgets
    assert {row.seed for row in read().of(name)} == set(SEEDS)
    card = json.loads(card_of(name).read_text())
    assert card["steps"] == COMPRESSORS[name].steps
    assert card["curve"][-1]["step"] == card["steps"]
    assert card["seconds"] > 0


@pytest.mark.parametrize("name", COMPRESSORS)
def test_the_numbers_are_those_of_the_weights(name, compression, held_out):
    keep = 9 if 9 in COMPRESSORS[name].budgets else BUDGETS[0]
    found = compression.row(name, 0, load_compressed(name), held_out, (keep,), None)
    [own] = [row for row in read().of(name) if row.seed == 0]
    assert found["accuracy"][str(keep)] == pytest.approx(own.accuracy[keep], abs=0.003)  # rounding elsewhere
    assert found["by_question"][str(keep)] == pytest.approx(dict(own.by_question[keep]), abs=0.02)


@pytest.mark.parametrize("name", [name for name, row in COMPRESSORS.items() if row.chooses])
def test_a_learned_choice_beats_chance(name):
    for keep in (9, 4, 1):
        assert read().difference(name, "random pruning", keep).word == "more"


def test_the_page_of_docs_is_of_these_numbers(compression):
    assert compression.TABLE.read_text() == compression.table(read())
