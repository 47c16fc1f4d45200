"""The runner: equal to asking one by one, asks nothing twice, goes on where it was stopped."""

import numpy as np
import pytest
from PIL import Image

from vlmlens.diagnostics import Answers, ProbeError, lab_probe, probes, read_probe, run
from vlmlens.diagnostics.crossed import Runner
from vlmlens.diagnostics.fills import FILLS, elsewhere, hide, in_pixels
from vlmlens.diagnostics.probe import ProbeSet
from vlmlens.diagnostics.scoring import scoring
from vlmlens.lab.draw import render
from vlmlens.progress import Cancelled, Progress


def plain_probe(options, pictures=2, question="what is it"):
    shown = tuple(Image.fromarray(np.full((32, 32, 3), 40 + 90 * i, np.uint8)) for i in range(pictures))
    return ProbeSet(shown, (question,), (options,), np.ones((pictures, 1), bool), {}, {}, "two pictures")


@pytest.mark.parametrize("name", ["lab:concat", "lab:llava"])
def test_it_says_what_one_by_one_says(model, name):
    vlm, probe = model(name), lab_probe(0, 4, 6)
    rule = scoring(vlm, probe)
    assert rule.how == "one token"
    runner = Runner(vlm, rule, probe.vocabulary, Answers())
    pairs = [(p, q) for p in probe.pictures for q in probe.questions]
    found = runner.mass([p for p, _ in pairs], [q for _, q in pairs])
    for row, (picture, question) in zip(found, pairs, strict=True):
        alone = rule.mass(vlm.run(vlm.prepare(render(picture), question), None)[0])[0]
        assert np.exp(row) == pytest.approx(np.exp(alone), abs=1e-6)
    runner.mass([p for p, _ in pairs], [q for _, q in pairs])
    assert runner.asked == len(pairs)


class Stopping(Progress):
    """Stops the work after its n-th step of doing something."""

    def __init__(self, steps, doing=""):
        super().__init__()
        self.left, self.awaited = steps, doing

    def step(self, fraction, doing=""):
        super().step(fraction, doing)
        if doing.startswith(self.awaited):
            self.left -= 1
        if self.left == 0:
            self.cancel()


def test_a_cancelled_run_goes_on_where_it_was(concat, tmp_path):
    probe = lab_probe(1, 14, 6)
    whole = run(concat, probe, "dependency")
    answers = Answers()
    with pytest.raises(Cancelled):
        run(concat, probe, "dependency", progress=Stopping(7), answers=answers)
    kept = len(answers.kept)
    assert 0 < kept < 14 * 6
    answers.save(tmp_path / "answers.npz")
    reopened = Answers.open(tmp_path / "answers.npz")
    resumed = run(concat, probe, "dependency", answers=reopened)
    assert len(reopened.kept) > kept
    assert resumed.row("dependency").verdict == whole.row("dependency").verdict
    assert resumed.row("dependency").effect == pytest.approx(whole.row("dependency").effect, abs=1e-6)
    with pytest.raises(ProbeError, match="another model or other options"):
        run(concat, lab_probe(0, 4, 1), "dependency", answers=reopened)


def test_a_person_can_stop_the_fitting_of_probes(concat, monkeypatch):
    fitted = []
    monkeypatch.setattr(probes, "_fitted", lambda *_: fitted.append(1))
    with pytest.raises(Cancelled):
        run(concat, lab_probe(0, 24, 4), "dependency", progress=Stopping(1, "seen or not"))
    assert not fitted


def test_a_file_of_something_else_holds_no_answers(tmp_path):
    (tmp_path / "x.npz").write_bytes(b"nothing")
    with pytest.raises(ProbeError, match="no answers"):
        Answers.open(tmp_path / "x.npz")


def test_first_tokens_where_they_differ_and_whole_answers_where_not(model):
    vlm = model("a folder")
    first = scoring(vlm, plain_probe(("red circle", "blue square")))
    assert first.how == "first token"
    probe = plain_probe(("left of", "left circle"))
    whole = scoring(vlm, probe)
    assert whole.how == "whole answer"
    runner = Runner(vlm, whole, probe.vocabulary, Answers())
    found = runner.mass(probe.pictures, ["what is the circle"] * 2, [probe.options[0]] * 2)
    for picture, row in zip(probe.pictures, found, strict=True):
        for option, value in zip(probe.vocabulary, row, strict=True):
            steps = vlm.inspect(picture, "what is the circle", answer=option).steps
            assert value == pytest.approx(sum(np.log(step.token.probability) for step in steps))


def test_an_option_that_a_model_cannot_say(concat):
    with pytest.raises(ProbeError, match="can never answer “giraffe”"):
        scoring(concat, plain_probe(("red", "giraffe"), question="what color is the circle"))


def test_uncrossed_sets_are_refused_where_crossing_is_needed(concat, tmp_path):
    probe = lab_probe(0, 14, 4)
    lines = ["picture,question,answer,options"]
    for number, scene in enumerate(probe.pictures):
        render(scene).save(tmp_path / f"{number}.png")
        question = number % 4
        options = "|".join(probe.options[question])
        lines.append(f"{number}.png,{probe.questions[question]},{probe.answers[number, question]},{options}")
    (tmp_path / "probe.csv").write_text("\n".join(lines))
    card = run(concat, read_probe(tmp_path), ["consistency", "sensitivity", "information"])
    assert card.row("consistency").verdict == "INCONCLUSIVE"
    assert "not crossed" in card.row("consistency").sentence
    assert "region" in card.row("sensitivity").sentence
    assert card.row("information").effect > 0.5
    assert card.row("information").verdict == "INCONCLUSIVE"  # 14 items are too few
    assert "too few" in card.row("information").sentence


def test_a_hidden_box_changes_itself_alone():
    rng = np.random.default_rng(0)
    image, donor = (Image.fromarray(rng.integers(0, 256, (30, 40, 3), np.uint8)) for _ in range(2))
    boxes = in_pixels(((0.25, 0, 0.5, 1 / 3),), image.size)
    assert boxes == [(10, 0, 20, 10)]
    for fill in FILLS:
        changed = (np.asarray(hide(image, boxes, fill, donor)) != np.asarray(image)).any(axis=2)
        outside = np.ones_like(changed)
        outside[:10, 10:20] = False
        assert changed[:10, 10:20].mean() > 0.9
        assert not (changed & outside).any()
        assert np.array_equal(hide(image, boxes, fill, donor, 0.0), image)


def test_elsewhere_is_as_large_and_apart():
    boxes = [(0, 0, 16, 16), (16, 16, 32, 32)]
    for seed in range(20):
        found = elsewhere(boxes, (48, 48), np.random.default_rng(seed))
        every = [*boxes, *found]
        area = np.zeros((48, 48), int)
        for left, top, right, bottom in every:
            assert (right - left, bottom - top) == (16, 16)
            area[top:bottom, left:right] += 1
        assert area.max() == 1
    assert elsewhere([(0, 0, 48, 48)], (48, 48), np.random.default_rng(0)) is None
