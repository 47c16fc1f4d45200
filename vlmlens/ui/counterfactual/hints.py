"""Texts to plant beside a question: what is true on a lab scene, what is not, and what the question offers."""

from vlmlens.errors import QuestionError
from vlmlens.lab.questions import Question, by_text, normalise
from vlmlens.lab.scenes import Scene
from vlmlens.ui.counterfactual.changes import ASK, Changes

KINDS = {"misleading": "Hint that misleads", "helpful": "Hint that helps"}


def asked(question: str) -> Question | None:
    """The lab's question of this wording, if it is one."""
    try:
        return by_text().get(normalise(question))
    except QuestionError:
        return None


def hint(kind: str, question: str, scene: Scene | None) -> str:
    """A sentence that tells the true answer, or another; empty where the truth is not known."""
    found = asked(question)
    truth = None if found is None or scene is None else found.answer(scene)
    if found is None or truth is None:
        return ""
    said = truth if kind == "helpful" else next(other for other in found.candidates if other != truth)
    return _sentence(found, said)


def meant(changes: Changes, question: str) -> str:
    """The question whose true answer counts after the changes: hints and fillers leave it what it is.

    Empty where it is asked the other way round, which the lab has no answer to.
    """
    for word in changes.words:
        if word.name == "negation":
            return ""
        question = word.apply(question) if word.name == ASK else question
    return question


def choices(question: str) -> str:
    """The answers that a lab question has, with commas between."""
    found = asked(question)
    return "" if found is None else ", ".join(found.candidates)


def _sentence(question: Question, answer: str) -> str:
    about = [pattern.phrase() for pattern in question.about]
    if question.kind == "shape":
        return f"the {about[0]} is a {answer}"
    if question.kind == "count":
        return f"there are {answer} {question.about[0].phrase(plural=True)}"
    if question.kind == "exist":
        return f"there is {'a' if answer == 'yes' else 'no'} {about[0]}"
    if question.kind == "where":
        return f"the {about[0]} is in the {answer} {question.axis}"
    if question.kind == "relation":
        words = "left of" if question.axis == "column" else "above"
        return f"the {about[0]} is {'' if answer == 'yes' else 'not '}{words} the {about[1]}"
    return f"the {about[0]} is {answer}"


def truths(question: str, before: Scene | None, after: Scene) -> str:
    """The true answers on a scene, as a list: the question's own first, then those that have changed."""
    own = asked(question)
    rows = []
    for text, other in by_text().items():
        was, now = None if before is None else other.answer(before), other.answer(after)
        if other == own or was != now:
            rows.append((other != own, text, was, now))
    rows.sort(key=lambda row: row[0])
    lines = "".join(
        f"<tr><td>{text}?</td><td>{was or '–'}</td><td>{'=' if was == now else '→'}</td>"
        f"<td><b>{now or '–'}</b></td></tr>"
        for _, text, was, now in rows
    )
    return (
        '<div class="truths" tabindex="0" role="region" aria-label="True answers">What is true before '
        f"→ after, on every question whose answer the board has changed (– for none):<table>{lines}</table></div>"
    )
