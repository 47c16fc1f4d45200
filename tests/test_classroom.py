"""A class keeps what it promises: one prediction a learner, the teacher's key, bounds, nothing after the end."""

import gc
import threading
import weakref

import pytest

from vlmlens import classroom
from vlmlens.classroom import AWAY, IDLE, LETTERS, LONGEST, MOST_CLASSES, MOST_LEARNERS, MOST_STEPS, ClassError, Classes

LESSON, STEP = "xor", 2


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def classes(clock):
    return Classes(clock)


def test_the_first_prediction_stands(classes):
    code, key = (opened := classes.open_class()).code, opened.key
    who = classes.join(code)
    assert classes.committed(code, LESSON, STEP, who) is None
    assert classes.commit(code, LESSON, STEP, who, "synergy")
    assert classes.commit(code, LESSON, STEP, who, "synergy")  # a second click on the same says nothing new
    assert not classes.commit(code, LESSON, STEP, who, "redundancy")
    assert classes.committed(code, LESSON, STEP, who) == "synergy"
    assert classes.tally(code, LESSON, STEP, key).counts == {"synergy": 1}
    assert classes.commit(code, LESSON, STEP + 1, who, "redundancy")  # another step is another prediction


@pytest.mark.parametrize("typed", [str.lower, " {} ".format, lambda code: f"{code[:2]} - {code[2:]}"])
def test_a_code_is_read_as_people_type_it(classes, typed):
    opened = classes.open_class()
    assert classes.join(typed(opened.code))
    assert classes.where(opened.code, opened.key).learners == 1


def test_codes_are_short_distinct_and_of_plain_letters(classes):
    codes = [classes.open_class().code for _ in range(MOST_CLASSES)]
    assert len(set(codes)) == MOST_CLASSES
    assert all(len(code) == 4 and set(code) <= set(LETTERS) for code in codes)
    assert not set("AEIOU01") & set(LETTERS)


def test_many_at_once_lose_no_prediction(classes):
    opened = classes.open_class()
    threads, choices, steps = 40, "abcd", 5
    stood: list[bool] = []
    ready = threading.Barrier(threads)

    def learner(number: int) -> None:
        who = classes.join(opened.code)
        ready.wait()
        for step in range(steps):
            classes.at(opened.code, LESSON, step, who)
            for choice in (choices[number % 4], choices[(number + 1) % 4]):  # the second must not count
                stood.append(classes.commit(opened.code, LESSON, step, who, choice))

    running = [threading.Thread(target=learner, args=(number,)) for number in range(threads)]
    for each in running:
        each.start()
    for each in running:
        each.join()
    assert stood.count(True) == stood.count(False) == threads * steps
    for step in range(steps):
        tally = classes.tally(opened.code, LESSON, step, opened.key)
        assert tally.counts == dict.fromkeys(choices, threads // 4)
        assert tally.committed == tally.learners == threads
    roll = classes.where(opened.code, opened.key)
    assert [(place.step, place.learners) for place in roll.places] == [(steps - 1, threads)]


def test_one_learner_on_two_threads_predicts_once(classes):
    opened = classes.open_class()
    who = classes.join(opened.code)
    ready, stood = threading.Barrier(16), []

    def click(number: int) -> None:
        ready.wait()
        stood.append(classes.commit(opened.code, LESSON, STEP, who, str(number)))

    running = [threading.Thread(target=click, args=(number,)) for number in range(16)]
    for each in running:
        each.start()
    for each in running:
        each.join()
    assert stood.count(True) == 1
    assert classes.tally(opened.code, LESSON, STEP, opened.key).committed == 1


def test_nothing_is_left_after_the_end(classes):
    opened = classes.open_class()
    who = classes.join(opened.code)
    classes.commit(opened.code, LESSON, STEP, who, "synergy")
    kept = weakref.ref(classes._classes[opened.code])
    classes.end(opened.code, opened.key)
    gc.collect()
    assert kept() is None
    assert len(classes) == 0
    assert not classes.belongs(opened.code, who)
    for use in (
        lambda: classes.join(opened.code),
        lambda: classes.commit(opened.code, LESSON, STEP, who, "synergy"),
        lambda: classes.tally(opened.code, LESSON, STEP, opened.key),
        lambda: classes.where(opened.code, opened.key),
        lambda: classes.end(opened.code, opened.key),
    ):
        with pytest.raises(ClassError, match=f"There is no class “{opened.code}”: it has ended, or the code was"):
            use()


def test_what_was_handed_out_does_not_follow_the_class(classes):
    opened = classes.open_class()
    who = classes.join(opened.code)
    tally = classes.tally(opened.code, LESSON, STEP, opened.key)
    classes.commit(opened.code, LESSON, STEP, who, "synergy")
    assert tally.counts == {}
    with pytest.raises(TypeError):
        tally.counts["synergy"] = 7  # type: ignore[index]


def test_only_the_key_makes_a_teacher(classes):
    opened, other = classes.open_class(), classes.open_class()
    who = classes.join(opened.code)
    for key in (other.key, who, opened.code, "", "ä", None):
        for use in (
            lambda key=key: classes.tally(opened.code, LESSON, STEP, key),
            lambda key=key: classes.where(opened.code, key),
            lambda key=key: classes.hold(opened.code, key),
            lambda key=key: classes.release(opened.code, key, LESSON, STEP),
            lambda key=key: classes.end(opened.code, key),
        ):
            with pytest.raises(ClassError, match="Only the teacher"):
                use()
    assert classes.where(opened.code, opened.key).learners == 1


def test_a_learner_of_one_class_is_nobody_in_another(classes):
    opened, other = classes.open_class(), classes.open_class()
    who = classes.join(opened.code)
    with pytest.raises(ClassError, match="You are not in class"):
        classes.commit(other.code, LESSON, STEP, who, "synergy")
    assert classes.belongs(opened.code, who)
    assert not classes.belongs(other.code, who)


def test_a_held_reveal_opens_for_one_step_at_a_time(classes):
    code, key = (opened := classes.open_class()).code, opened.key
    who, late = classes.join(code), classes.join(code)
    assert classes.is_open(code, LESSON, STEP, who)
    classes.hold(code, key)
    assert classes.where(code, key).holding
    assert not classes.is_open(code, LESSON, STEP, who)
    classes.commit(code, LESSON, STEP, who, "synergy")
    with pytest.raises(ClassError, match="after your own prediction and the reveal"):
        classes.tally(code, LESSON, STEP, who=who)
    classes.release(code, key, LESSON, STEP)
    assert classes.is_open(code, LESSON, STEP, who)
    assert not classes.is_open(code, LESSON, STEP + 1, who)
    assert classes.tally(code, LESSON, STEP, who=who).counts == {"synergy": 1}
    with pytest.raises(ClassError, match="after your own prediction"):  # who has not predicted yet is not led
        classes.tally(code, LESSON, STEP, who=late)
    classes.hold(code, key, False)
    assert classes.is_open(code, LESSON, STEP + 1, who)


def test_a_class_left_alone_ends(classes, clock):
    opened = classes.open_class()
    who = classes.join(opened.code)
    clock.now += IDLE - 1
    classes.at(opened.code, LESSON, STEP, who)  # somebody is there
    clock.now += IDLE - 1
    assert classes.belongs(opened.code, who)  # a page that was left open looks, and keeps nothing alive
    assert classes.is_open(opened.code, LESSON, STEP, who)
    assert classes.where(opened.code, opened.key).learners == 1
    assert not classes.tally(opened.code, LESSON, STEP, opened.key).counts
    clock.now += 2
    assert not classes.belongs(opened.code, who)
    assert len(classes) == 0


def test_a_class_left_alone_ends_though_nobody_asks(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(classroom, "IDLE", 0.2)
    classes = Classes(clock)
    classes.open_class()
    clock.now += 1
    for _ in range(100):
        if not classes._classes:  # without asking the class anything
            break
        threading.Event().wait(0.02)
    assert not classes._classes


def test_who_went_away_is_counted_apart(classes, clock):
    code, key = (opened := classes.open_class()).code, opened.key
    gone, here = classes.join(code), classes.join(code)
    classes.at(code, LESSON, 1, gone)
    classes.commit(code, LESSON, 1, gone, "synergy")
    clock.now += AWAY + 1
    classes.at(code, LESSON, 3, here)
    roll = classes.where(code, key)
    assert (roll.learners, roll.away) == (2, 1)
    assert [(place.step, place.learners) for place in roll.places] == [(3, 1)]
    assert classes.tally(code, LESSON, 1, key).counts == {"synergy": 1}  # what was predicted stays


def test_there_are_bounds(classes):
    opened = classes.open_class()
    who = classes.join(opened.code)
    for use in (
        lambda: classes.commit(opened.code, LESSON, STEP, who, "x" * (LONGEST + 1)),
        lambda: classes.commit(opened.code, "x" * (LONGEST + 1), STEP, who, "x"),
        lambda: classes.at(opened.code, "x" * (LONGEST + 1), STEP, who),
    ):
        with pytest.raises(ClassError, match=f"{LONGEST} characters"):
            use()
    for step in range(MOST_STEPS):
        classes.commit(opened.code, LESSON, step, who, "a")
    with pytest.raises(ClassError, match=f"{MOST_STEPS} times"):
        classes.commit(opened.code, LESSON, MOST_STEPS, who, "a")
    for _ in range(MOST_LEARNERS - 1):
        classes.join(opened.code)
    with pytest.raises(ClassError, match="is full"):
        classes.join(opened.code)
    for _ in range(MOST_CLASSES - 1):
        classes.open_class()
    with pytest.raises(ClassError, match=f"has {MOST_CLASSES} classes already"):
        classes.open_class()
    classes.end(opened.code, opened.key)
    assert classes.open_class()


def test_a_wrong_code_is_one_short_sentence(classes):
    with pytest.raises(ClassError) as refusal:
        classes.join("x" * 5000)
    assert len(str(refusal.value)) < 150


def test_the_functions_of_the_module_speak_of_one_place():
    opened = classroom.open_class()
    try:
        assert classroom.belongs(opened.code, classroom.join(opened.code))
    finally:
        classroom.end(opened.code, opened.key)


def test_numbers_are_counted_in_ranges_and_none_is_lost():
    numbers = [index / 20 for index in range(21)]
    found = classroom.binned({str(number): 2 for number in numbers}, 0.0, 1.0)
    assert sum(found.values()) == 2 * len(numbers)
    assert next(iter(found)) == "0 to 0.1"
    assert list(found.values()) == [4] * 9 + [6]  # the last range is closed
    for number in numbers[:-1]:
        low, high = map(
            float, next(each for each, count in classroom.binned({str(number): 1}, 0, 1).items() if count).split(" to ")
        )
        assert low - 1e-9 <= number < high
    assert not any(classroom.binned({"nan": 1, "zebra": 1, "7": 1}, 0.0, 1.0).values())
