"""A class as it happens: a teacher and two learners in browsers of their own, from the code on the board to the end."""

import re

from playwright.sync_api import Page, expect

SLOW = 60_000  # three browsers at once


def predict(page: Page, words: str) -> None:
    page.get_by_text(words, exact=True).click()
    page.get_by_role("button", name="Commit").click()
    expect(page.get_by_text("You committed to this")).to_be_visible(timeout=SLOW)
    page.get_by_role("button", name="Next", exact=True).click()


def test_a_teacher_and_two_learners(app, new_page, wait_idle, axe_findings):
    teacher = new_page()
    teacher.goto(f"{app}/learn?teacher=1&lesson=xor&step=2")
    teacher.get_by_role("button", name="Open a class").click(timeout=SLOW)
    panel = teacher.locator(".st-key-class-panel")
    expect(panel.get_by_text("Nobody has joined yet")).to_be_visible(timeout=SLOW)
    code = panel.locator(".lens-answer").inner_text().strip()
    link = panel.locator("code").first.inner_text()
    assert re.fullmatch(rf"{app}/learn\?class={code}", link)

    learners = [new_page(), new_page(390, 844, "dark")]
    for learner in learners:
        learner.goto(f"{link}&lesson=xor&step=2")
        expect(learner.get_by_text(f"Class {code}")).to_be_visible(timeout=SLOW)
    panel.get_by_text("Hold the reveal").click()
    predict(learners[0], "Nothing")
    expect(learners[0].get_by_text("Your teacher opens the reveal")).to_be_visible(timeout=SLOW)
    expect(panel.get_by_text("1 of 2 learners have predicted")).to_be_visible(timeout=SLOW)  # without a reload
    predict(learners[1], "About half of it")
    expect(panel.get_by_text("2 of 2 learners have predicted")).to_be_visible(timeout=SLOW)
    expect(panel.locator("[data-testid='stVegaLiteChart']")).to_be_visible()

    assert not axe_findings(teacher)
    assert not axe_findings(learners[1])
    assert not learners[1].evaluate("document.documentElement.scrollWidth > window.innerWidth + 2")

    me = learners[0].url
    assert "me=" in me
    learners[0].reload()  # the same learner, the same prediction
    expect(learners[0].get_by_text("Your teacher opens the reveal")).to_be_visible(timeout=SLOW)
    expect(panel.get_by_text("2 of 2 learners have predicted")).to_be_visible(timeout=SLOW)

    panel.get_by_role("button", name="Open the reveal for all").click()
    expect(learners[0].get_by_text("As predicted").first).to_be_visible(timeout=SLOW)
    expect(learners[1].get_by_text("Your class: 2 of 2 learners have predicted")).to_be_visible(timeout=SLOW)
    wait_idle(learners[1])
    assert not axe_findings(learners[1])

    panel.get_by_role("button", name="End the class").click()
    teacher.get_by_role("button", name="End it now").click()
    expect(teacher.get_by_text(f"Class {code} is over; nothing of it is kept.")).to_be_visible(timeout=SLOW)
    learners[0].get_by_role("button", name="Next", exact=True).click()
    expect(learners[0].get_by_text("You go on alone, from where you are")).to_be_visible(timeout=SLOW)
    expect(learners[0].get_by_text("Now a model").first).to_be_visible(timeout=SLOW)
    late = new_page()
    late.goto(link)
    expect(late.get_by_text("There is no class")).to_be_visible(timeout=SLOW)
