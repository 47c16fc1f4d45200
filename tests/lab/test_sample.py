"""Sampling: right answers, a prior that is what the dial says, splits that share nothing, pairs that stay unseen."""

from collections import Counter, defaultdict

import numpy as np
import pytest

from vlmlens.lab.questions import KINDS, all_questions
from vlmlens.lab.sample import best_blind_accuracy, crossed, possible_answers, preferred_answer, take
from vlmlens.lab.scenes import COLORS, HELD_OUT_PAIRS, SHAPES, SIZES, SPLITS, Scene, Thing, split_of

MANY = 3000
SIGMAS = 4  # a fixed seed either passes for ever or never: what lies outside is a bug and no bad luck


@pytest.fixture(scope="module")
def streams():
    return {split: take(split, 0, MANY) for split in SPLITS}


def test_every_answer_is_right(streams, answer_by_reading):
    for stream in streams.values():
        for item in stream:
            assert answer_by_reading(item.question.text, item.scene) == item.answer


def test_every_scene_belongs_to_its_split_and_to_no_other(streams):
    seen = defaultdict(set)
    for split, stream in streams.items():
        for item in stream:
            if item.scene.things:  # the empty board belongs to all
                assert split_of(item.scene) == split
                seen[split].add(item.scene.arrangement())
    assert not seen["train"] & seen["test"]
    assert not seen["train"] & seen["validation"]
    assert not seen["validation"] & seen["test"]


def test_splits_have_the_sizes_they_are_said_to_have():
    rng = np.random.default_rng(0)
    counts = Counter()
    for _ in range(MANY):
        cells = rng.permutation(9)[:3]
        things = [
            Thing(int(c), COLORS[rng.integers(8)], SHAPES[rng.integers(4)], SIZES[rng.integers(2)]) for c in cells
        ]
        counts[split_of(Scene(tuple(things)))] += 1
    for split, share in (("train", 0.8), ("validation", 0.1), ("test", 0.1)):
        assert abs(counts[split] - share * MANY) < SIGMAS * (share * (1 - share) * MANY) ** 0.5 + MANY / 256  # one byte


def test_no_held_out_pair_is_ever_shown_or_asked_for(streams):
    for stream in streams.values():
        for item in stream:
            assert not {thing.pair for thing in item.scene.things} & HELD_OUT_PAIRS
            assert item.question.about[0].pair not in HELD_OUT_PAIRS


def test_novel_items_are_about_held_out_pairs(answer_by_reading):
    stream = take("test", 0, 500, novel_pairs=True)
    for item in stream:
        assert answer_by_reading(item.question.text, item.scene) == item.answer
        asked = item.question.about[0].pair in HELD_OUT_PAIRS
        spoken_of = {item.scene.at(cell).pair for cell in item.question.relevant(item.scene)}
        assert asked or spoken_of & HELD_OUT_PAIRS
    assert {item.question.kind for item in stream} == set(KINDS)


@pytest.mark.parametrize("prior", [0.0, 0.3, 0.9])
def test_the_preferred_answer_comes_as_often_as_the_prior_says(prior):
    stream = take("test", 1, MANY, prior=prior)
    expected = [prior + (1 - prior) / len(possible_answers(item.question)) for item in stream]
    hits = [item.answer == preferred_answer(item.question) for item in stream]
    sd = np.sqrt(sum(p * (1 - p) for p in expected))
    assert abs(sum(hits) - sum(expected)) < SIGMAS * sd
    for kind in KINDS:
        of_kind = [i for i, item in enumerate(stream) if item.question.kind == kind]
        p = np.array(expected)[of_kind]
        assert abs(sum(np.array(hits)[of_kind]) - p.sum()) < SIGMAS * np.sqrt((p * (1 - p)).sum())


def test_answers_that_are_not_preferred_are_equally_likely():
    stream = take("train", 2, 2 * MANY, prior=0.0)
    of_count = Counter(item.answer for item in stream if item.question.kind == "count")
    total = sum(of_count.values())
    for share in of_count.values():
        assert abs(share - total / 6) < SIGMAS * (total * 5 / 36) ** 0.5
    assert len(of_count) == 6


def test_kinds_come_evenly_and_every_question_comes(streams):
    """Evenly but for the questions after pairs that stay unseen, which fall out."""
    kinds = Counter(item.question.kind for item in streams["train"])
    allowed = {}
    for kind in KINDS:
        of_kind = [q for q in all_questions() if q.kind == kind]
        allowed[kind] = np.mean([q.about[0].pair not in HELD_OUT_PAIRS for q in of_kind])
    for kind, part in allowed.items():
        share = part / sum(allowed.values())
        assert abs(kinds[kind] - share * MANY) < SIGMAS * (share * (1 - share) * MANY) ** 0.5
    asked = {item.question for item in take("train", 3, 10_000)}
    assert asked == {q for q in all_questions() if q.about[0].pair not in HELD_OUT_PAIRS}


def test_kinds_can_be_chosen():
    assert {item.question.kind for item in take("test", 0, 50, kinds=("size", "where"))} == {"size", "where"}


def test_the_same_seed_gives_the_same_items_and_another_gives_others(streams):
    assert take("test", 0, 50) == streams["test"][:50]
    assert take("test", 1, 50) != streams["test"][:50]
    assert take("validation", 0, 50) != take("test", 0, 50)


def test_no_blind_guess_beats_the_ceiling_and_the_best_one_reaches_it():
    train, test = take("test", 10, 5000), take("test", 11, 5000)
    ceiling = best_blind_accuracy(0.3, [item.question for item in test])
    slack = SIGMAS * (ceiling * (1 - ceiling) / 5000) ** 0.5
    preferred = np.mean([item.answer == preferred_answer(item.question) for item in test])
    assert abs(preferred - ceiling) < slack

    def best(stream):
        """For every question its most frequent answer in the stream."""
        counts = defaultdict(Counter)
        for item in stream:
            counts[item.question][item.answer] += 1
        return {question: counter.most_common(1)[0][0] for question, counter in counts.items()}

    learnt = best(train)
    assert np.mean([item.answer == learnt.get(item.question) for item in test]) < ceiling + slack
    hindsight = best(test)
    assert np.mean([item.answer == hindsight[item.question] for item in test]) > ceiling - slack


@pytest.mark.parametrize("prior", [0.0, 1.0])
def test_the_ceiling_at_both_ends_of_the_dial(prior):
    questions = all_questions()
    ceiling = best_blind_accuracy(prior, questions)
    assert ceiling == pytest.approx(1.0 if prior else np.mean([1 / len(possible_answers(q)) for q in questions]))


def test_preferred_answers_are_answers(streams):
    for question in all_questions():
        possible = possible_answers(question)
        assert preferred_answer(question) in possible
        assert set(possible) <= set(question.candidates)
    shown = defaultdict(set)
    for item in streams["train"]:
        shown[item.question].add(item.answer)
    for question, answers in shown.items():
        assert answers <= set(possible_answers(question))


@pytest.mark.parametrize("split", SPLITS)
def test_crossed_sets_have_a_right_answer_in_every_cell(split, answer_by_reading):
    scenes, questions, answers = crossed(0, 30, split)
    assert len(scenes) == len(answers) == 30
    assert len(questions) == len(set(questions)) > 50
    for scene, row in zip(scenes, answers, strict=True):
        assert split_of(scene) == split
        assert not {thing.pair for thing in scene.things} & HELD_OUT_PAIRS
        for question, answer in zip(questions, row, strict=True):
            assert answer == answer_by_reading(question.text, scene)
            assert answer in question.candidates
    assert len({scene.arrangement() for scene in scenes}) == 30
    assert crossed(0, 5, split)[0] == scenes[:5]
    assert crossed(1, 5, split)[0] != scenes[:5]


def test_scenes_are_lively(streams):
    """From one thing to five, on every cell, in every look that may be shown."""
    train = [item.scene for item in streams["train"]]
    assert {len(scene.things) for scene in train} >= {1, 2, 3, 4, 5}
    things = [thing for scene in train for thing in scene.things]
    assert {thing.cell for thing in things} == set(range(9))
    assert len({thing.pair for thing in things}) == 8 * 4 - len(HELD_OUT_PAIRS)
    assert {(thing.dx, thing.dy) for thing in things} == {(x, y) for x in (-1, 0, 1) for y in (-1, 0, 1)}
