"""Every lesson from start to end in a browser, on a laptop and on a phone; one server, whose runs both sizes share."""

import re

import pytest
from playwright.sync_api import Page, expect

from vlmlens.lessons import Lesson, Step, shelf

LESSONS = shelf().lessons
PATIENCE = 60_000  # ms, of a first run on a busy machine


def arrived(page: Page, lesson: Lesson, number: int) -> Step:
    """The step stands: its title, and where it has a figure, its chart."""
    step = lesson.steps[number]
    expect(page.get_by_role("heading", name=step.title, exact=True)).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text(f"Step {number + 1} of {len(lesson.steps)}", exact=True)).to_be_visible(timeout=PATIENCE)
    if lesson.spoken_of(number) is not None:
        expect(page.locator(".st-key-lesson-step [data-testid='stVegaLiteChart']").first).to_be_visible(
            timeout=PATIENCE
        )
    return step


def predict(page: Page, lesson: Lesson, number: int, step: Step) -> None:
    """The first option, or a slider one step up; then for good."""
    if step.slider is None:
        page.get_by_text(next(iter(step.options.values())), exact=True).click()
    else:
        page.locator(f".st-key-predict-{lesson.name}-{number}").get_by_role("slider").focus()
        page.keyboard.press("ArrowRight")
    page.locator(f".st-key-commit-{lesson.name}-{number}").get_by_role("button").click()
    expect(page.get_by_text("You committed to this.")).to_be_visible(timeout=PATIENCE)


def walked(page: Page, lesson: Lesson) -> None:
    """From the list through all steps and back to it."""
    page.locator(f".st-key-open-{lesson.name}").get_by_role("button").click()
    for number in range(len(lesson.steps)):
        step = arrived(page, lesson, number)
        said = page.locator(".st-key-lesson-step").inner_text()
        assert not re.search(r"\{[a-z_]+(:|\})", said), said
        assert not page.locator("[data-testid='stException']").count()
        assert not page.locator(".stMain [data-testid='stAlertContentError']").count(), lesson.name
        assert not page.evaluate("document.documentElement.scrollWidth > window.innerWidth + 2"), (lesson.name, number)
        if step.kind == "predict":
            predict(page, lesson, number, step)
        if step.kind == "reveal" and lesson.predictions_of(number):
            assert re.search("As predicted|Otherwise|Inconclusive", said), said
        last = number == len(lesson.steps) - 1
        page.locator(f".st-key-lesson-{'finish' if last else 'next'}").get_by_role("button").click()
    expect(page.locator(f".st-key-open-{lesson.name}").get_by_role("button", name="Again")).to_be_visible(
        timeout=PATIENCE
    )


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("width", "height", "scheme"), [(1440, 900, "light"), (390, 844, "dark")])
def test_every_lesson_is_walked_from_start_to_end(app, new_page, axe_findings, width, height, scheme):
    page = new_page(width, height, scheme)
    page.goto(f"{app}/learn")
    expect(page.get_by_text("Each lesson poses a question")).to_be_visible(timeout=PATIENCE)
    assert not axe_findings(page)
    for lesson in LESSONS.values():
        walked(page, lesson)


@pytest.mark.parametrize(("width", "scheme"), [(1440, "dark"), (390, "light")])
def test_a_step_is_fine_for_axe(app, new_page, axe_findings, wait_idle, width, scheme):
    page = new_page(width, 844, scheme)
    for number in (2, 3):
        page.goto(f"{app}/learn?lesson=xor&step={number}&teacher=1")
        arrived(page, LESSONS["xor"], number - 1)
        wait_idle(page)
        assert not axe_findings(page)


def test_a_link_opens_the_step_and_a_reload_stays_there(app, page):
    page.goto(f"{app}/learn?lesson=xor&step=2")
    arrived(page, LESSONS["xor"], 1)
    page.reload()
    arrived(page, LESSONS["xor"], 1)
    assert "lesson=xor" in page.url
    assert "step=2" in page.url
