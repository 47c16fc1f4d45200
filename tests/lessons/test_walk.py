"""Every figure runs with what it declares; every lesson runs from start to end on live models."""

import math
import re

import pytest

from vlmlens.errors import UserError
from vlmlens.lessons import FIGURES, Amount, Choice, FigureError, shelf, walk
from vlmlens.lessons.figures.pooling import averaged
from vlmlens.progress import Cancelled, Progress

LESSONS = shelf().lessons


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_gives_what_it_declares(name, model):
    figure = FIGURES[name]
    settings = figure.settings({})
    shown = figure.run(settings, model)
    assert set(shown.numbers) == set(figure.numbers)
    assert shown.sentence
    assert shown.chart is not None
    assert shown.chart.told
    assert shown.table
    assert "cannot tell" in figure.help.lower() or "no interval" in figure.help
    for key, value in shown.numbers.items():
        assert isinstance(value, str | float), key
        if key.endswith("_low") and isinstance(value, float) and not math.isnan(value):
            middle = key.removesuffix("_low")
            if middle in shown.numbers and f"{middle}_high" in shown.numbers:
                assert value <= shown.numbers[middle] + 1e-9 <= shown.numbers[f"{middle}_high"] + 2e-9
    assert set(figure.models(settings)) <= {"lab:concat", "lab:llava", "lab:img2txt", "lab:txt2img"} | {
        name for name in figure.models(settings) if name.startswith("planted:")
    }


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_refuses_what_is_no_parameter(name):
    figure = FIGURES[name]
    with pytest.raises(FigureError, match="has no parameter “zebra”"):
        figure.settings({"zebra": "1"})
    for parameter in figure.parameters:
        assert parameter.read(str(parameter.default)) == parameter.default
        if isinstance(parameter, Amount):
            with pytest.raises(FigureError):
                parameter.read(str(parameter.high + 1))
            steps = (parameter.default - parameter.low) / parameter.step
            assert steps == pytest.approx(round(steps))  # or the slider could not stand there
        if isinstance(parameter, Choice):
            with pytest.raises(FigureError):
                parameter.read("zebra")


@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_runs_from_start_to_end(name, model):
    lesson = LESSONS[name]
    said = list(walk(lesson, model))
    assert [each.step for each in said] == list(lesson.steps)
    assert lesson.notes
    for each in said:
        assert not re.search(r"[{}]", each.text)
        assert each.text
        if each.step.rule is not None and each.step.slider is None:
            right = [judged.right for judged in each.judged.values()]
            assert right.count(True) == 1 or set(right) == {None}  # the run decides for one, or for none


def test_a_run_can_be_cancelled(model):
    stopped = Progress()
    stopped.cancel()
    with pytest.raises(Cancelled):
        FIGURES["contrast_map"].run(FIGURES["contrast_map"].settings({}), model, stopped)
    assert issubclass(Cancelled, UserError)


def test_a_run_of_a_lesson_is_the_same_each_time(model):
    figure = FIGURES["hint"]
    settings = figure.settings({"dial": "0.5"})
    assert figure.run(settings, model).numbers == figure.run(settings, model).numbers


def test_what_planted_models_must_show(model):
    """Truths that hold by construction, whatever else a lesson says of them."""
    bits = FIGURES["bits"].run(FIGURES["bits"].settings({"model": "planted:xor"}), model).numbers
    assert bits["together"] > 0.9 * bits["total"]
    use = FIGURES["attention_and_use"].run(FIGURES["attention_and_use"].settings({}), model).numbers
    assert use["use_two"] == 0
    assert use["attention_two"] > 0
    never = FIGURES["hint"].run(FIGURES["hint"].settings({"dial": "0"}), model).numbers
    always = FIGURES["hint"].run(FIGURES["hint"].settings({"dial": "1"}), model).numbers
    assert never["right"] == never["plain"]
    assert always["follows"] == 1
    none = FIGURES["sink"].run(FIGURES["sink"].settings({"height": "12"}), model).numbers
    assert none["taken"] > none["usual"]


def test_sharpening_changes_no_answer(model):
    figure = FIGURES["confidence"]
    plain, sharp = (figure.run(figure.settings({"sharper": by}), model).numbers for by in ("1", "8"))
    assert sharp["sure"] > plain["sure"]
    assert {k: v for k, v in sharp.items() if "sure" not in k} == {k: v for k, v in plain.items() if "sure" not in k}


@pytest.mark.parametrize(("block", "left"), [(1, 36), (2, 9), (3, 4), (6, 1)])
def test_averaging_leaves_as_many_different_tokens(block, left):
    import torch

    image = torch.randn(2, 36, 5)
    found = averaged(image, block)
    assert found.shape == image.shape
    assert len(torch.unique(found[0], dim=0)) == left
    assert torch.allclose(found.mean(1), image.mean(1), atol=1e-6)  # what is averaged keeps its mean
    assert torch.allclose(averaged(found, block), found, atol=1e-6)
