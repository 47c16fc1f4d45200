"""The race of two compressors counts what each answers, asked one question at a time."""

import pytest

from vlmlens.lab.compress.ask import ask
from vlmlens.lab.compress.weights import load_compressed
from vlmlens.lessons.figures.common import asked
from vlmlens.lessons.figures.compressors import FIGURE, right
from vlmlens.models.lab import lab_pixels


@pytest.mark.parametrize(("name", "keep"), [("query-aware top-k", 4), ("average pooling", 9), ("q-former", 1)])
def test_in_a_batch_as_alone(name, keep):
    items, model = asked(24), load_compressed(name)
    alone = [ask(model, lab_pixels(item.scene), item.question.text, keep).answer == item.answer for item in items]
    assert right(name, keep, items).tolist() == alone


def test_a_compressor_against_itself_gains_nothing():
    settings = FIGURE.settings({"one": "q-former", "other": "q-former", "tokens": "1"})
    found = FIGURE.run(settings, load=None).numbers
    assert found["gain"] == found["gain_low"] == found["gain_high"] == 0
    assert found["one"] == found["other"] < found["all"]
