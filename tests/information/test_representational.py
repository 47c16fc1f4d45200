"""A growing estimate ends where one over everything at once begins, however the readings came in."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from vlmlens.information import InformationError, estimate
from vlmlens.information.estimate import TERMS
from vlmlens.information.representational import REFIT, Running
from vlmlens.lab.sample import take
from vlmlens.models.many import Readings, joined


def readings(n: int = 600, seed: int = 0, first: float = 0.6, second: float = 0.0, k: int = 4) -> Readings:
    """Two reading points: at the first the states are blobs of what decides the answer, at the second only noise."""
    rng = np.random.default_rng(seed)
    one, two, other = rng.integers(0, k, (3, n))
    dice = rng.random(n)
    answers = np.where(dice < first, one, np.where(dice < first + second, two, other))
    noise = rng.normal(size=(2, 2, n, 6)).astype(np.float32)
    noise[:, 0] += 20 * np.eye(k, 6, dtype=np.float32)[np.stack([one, two])]
    probabilities = np.full((n, k), 0.1 / (k - 1), np.float32)
    probabilities[np.arange(n), answers] = 0.9
    return Readings(("blobs", "noise"), noise[0], noise[1], probabilities)


def cut(whole: Readings, *sizes: int) -> list[Readings]:
    starts = np.cumsum([0, *sizes])
    return [
        Readings(whole.points, whole.image[:, a:b], whole.question[:, a:b], whole.probabilities[a:b])
        for a, b in itertools.pairwise(starts)
    ]


def dicts(estimates) -> list[dict]:
    return [each.to_dict() for each in estimates]


def test_one_part_or_many_end_in_the_same():
    whole = readings()
    at_once = dicts(Running(4, parts=[whole]).estimates(draws=2, final=True))
    for sizes in ((300, 300), (77, 1, 122, 399, 1)):
        running = Running(4)
        for part in cut(whole, *sizes):
            running.add(part)
            if running.n >= 60:
                running.estimates(0, draws=2)  # looking on the way changes nothing at the end
        assert running.n == 600
        assert dicts(running.estimates(draws=2, final=True)) == at_once


def test_each_point_is_the_estimate_of_its_own_features():
    whole = readings()
    running = Running(4, parts=[whole])
    found = running.estimates(draws=2, final=True)
    assert running.points == whole.points
    assert len(found) == 2
    for point, at_point in enumerate(found):
        direct = estimate(whole.image[point], whole.question[point], whole.answers, k=4, draws=2)
        assert at_point.to_dict() == direct.to_dict()
        (alone,) = running.estimates(point, draws=2)
        assert alone.to_dict() == at_point.to_dict()


def test_what_was_planted_is_found_where_it_was_planted():
    at_blobs, at_noise = Running(4, parts=[readings(first=0.0, second=0.6)]).estimates()
    assert at_blobs.sentence("image", "text").startswith("What decides is in text alone")
    assert at_noise.sentence("image", "text").startswith("Inconclusive")


def test_another_k_takes_the_same_data():
    running = Running(4, parts=cut(readings(), 250, 350))
    other = Running(2, parts=running.parts)
    assert other.parts == running.parts
    (found,) = other.estimates(0, draws=2)
    assert found.n == 300
    assert found.states[:2] == (2, 2)
    assert dicts([found]) == dicts(Running(2, parts=[readings()]).estimates(0, draws=2))


def test_clusters_are_formed_anew_only_when_the_items_have_doubled(monkeypatch):
    running, fits = Running(3), []
    monkeypatch.setattr(Running, "_fit", lambda self, i, fit=Running._fit: fits.append(self.n) or fit(self, i))
    for part in cut(readings(420), *[60] * 7):
        running.add(part)
        running.estimates(0, draws=2)
    assert fits == [60, 60, 120, 120, 240, 240]  # one for each point
    assert REFIT == 2
    running.estimates(0, draws=2, final=True)
    assert fits[6:] == [420, 420]


def test_every_other_item_is_counted_across_parts():
    running = Running(3)
    for part, n in zip(cut(readings(123), 45, 1, 77), (22, 23, 61), strict=True):
        running.add(part)
        assert running.estimates(0, draws=2)[0].n == n


def test_readings_joined_are_those_of_one_pass():
    whole = readings(100)
    again = joined(cut(whole, 33, 1, 66))
    for name in ("image", "question", "probabilities", "answers"):
        np.testing.assert_array_equal(getattr(again, name), getattr(whole, name))
    assert again.points == whole.points
    assert len(again) == 100


def test_a_model_reads_into_it(concat, scenes):
    from vlmlens.lab.questions import all_questions

    texts = [q.text for q in all_questions() if q.kind in ("color", "shape")]
    pairs = [(scene, text) for scene in scenes for text in texts]
    running = Running(3, parts=concat.read(*map(list, zip(*pairs, strict=True))))
    assert running.n == len(pairs)
    found = running.estimates(draws=2, final=True)
    assert len(found) == len(concat.points)
    for each in found:
        assert each.n == len(pairs) // 2
        assert all(np.isfinite(each[name].plug_in) for name in TERMS)


def test_too_few_items_are_refused():
    with pytest.raises(InformationError, match="39 items so far; 40"):
        Running(3, parts=[readings(39)]).estimates()
    assert Running(3).points == ()
    with pytest.raises(InformationError, match="0 items so far"):
        Running(3).estimates()
    with pytest.raises(InformationError, match="k = 30"):
        Running(30, parts=[readings(40)]).estimates()


def test_a_model_that_always_says_the_same_is_refused():
    whole = readings(60)
    one = Readings(whole.points, whole.image, whole.question, np.eye(4, dtype=np.float32)[np.zeros(60, int)])
    with pytest.raises(InformationError, match="one value only"):
        Running(3, parts=[one]).estimates()


def test_after_a_refusal_it_goes_on():
    running = Running(25, parts=[readings(40)])
    with pytest.raises(InformationError):
        running.estimates()
    running.add(readings(40, seed=1))
    assert running.estimates(0, draws=2)[0].n == 40


def planted_behaviour(name: str, items, rng) -> np.ndarray:
    """Answers that follow the question alone, the picture alone (how many things it holds), or half of each."""
    words = np.unique([item.question.text for item in items], return_inverse=True)[1]
    things = np.array([len(item.scene.things) for item in items])
    if name == "blind":
        return words
    return things if name == "image only" else np.where(rng.random(len(items)) < 0.5, words, 4 + things)


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("blind", "What decides is in the question alone; nothing of its own in the picture"),
        ("image only", "What decides is in the picture alone; nothing of its own in the question"),
        ("additive", "The answer takes from the picture and from the question"),
    ],
)
def test_planted_behaviour_gets_the_right_words_from_a_models_own_states(model, name, start):
    items = take("test", 0, 2000, kinds=("color",))  # 1000 of them counted
    vlm, running = model("lab:concat"), Running(8)
    answers = planted_behaviour(name, items, np.random.default_rng(0))
    seen = 0
    for part in vlm.read([item.scene for item in items], [item.question.text for item in items]):
        said = np.eye(10, dtype=np.float32)[answers[seen : seen + len(part)]]
        running.add(replace(part, probabilities=said))
        seen += len(part)
    (found,) = running.estimates(0, final=True)
    assert found.n == 1000
    assert found.sentence("the picture", "the question").startswith(start)
