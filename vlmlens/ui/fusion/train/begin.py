"""Below the form: what the plan amounts to, a name for it, and the button that starts it."""

import streamlit as st

from vlmlens.errors import UserError
from vlmlens.lab import runs
from vlmlens.lab.training.build import sizes
from vlmlens.lab.training.plan import Plan, PlanError
from vlmlens.ui.fusion.train import pace, state, wanted, words, work
from vlmlens.ui.fusion.train.say import duration, percent
from vlmlens.ui.jobs import in_words, result

PROBLEM = "train-problem"  # in the session's state: why the last start failed
NAME = "train-name"


def draw() -> None:
    """Raises Pending while the time is estimated."""
    try:
        plan = wanted.plan()
    except PlanError as error:
        st.error(str(error))
        return
    _amount(plan)
    st.text_input(
        "Name", key=NAME, placeholder=runs.suggest(plan), help="Under which it is kept; the model is run:NAME."
    )
    name = str(st.session_state.get(NAME) or "").strip() or runs.suggest(plan)
    problem = st.session_state.pop(PROBLEM, None)
    if problem:
        st.error(problem)
    busy = work.under_way()
    if busy is None:
        st.button(
            "Start training", type="primary", width="stretch", key="train-start", on_click=_start, args=(name, plan)
        )
    else:
        st.info(f"“{busy.name}” is being trained; the next one can start when it has finished or was stopped.")
    if busy is None:
        _time(plan)


def _start(name: str, plan: Plan) -> None:
    """Make the run on disk and train it; what fails is told where the button is."""
    try:
        if work.under_way() is None:
            runs.start(name, plan)
        take_up(name)
    except UserError as error:
        st.session_state[PROBLEM] = str(error)
        return
    except Exception as error:
        st.session_state[PROBLEM] = in_words(error)
        return
    st.session_state[NAME] = ""
    state.show_only(name)


def take_up(name: str) -> None:
    """Train a run that is new or was stopped. Raises UserError in words."""
    run = runs.resume(name)
    work.begin(run.name, run.plan, list(run.curve().points), run.train)


def _amount(plan: Plan) -> None:
    found = sizes(plan)
    total, trained = sum(all_ for _, all_ in found.values()), sum(mine for mine, _ in found.values())
    frozen = found["pretrained"][0] == 0
    name, text = words.TRAINED
    st.markdown(
        f"**{percent(trained / total)}** of {total:,} parameters learn: {found['new'][0]:,} new, "
        f"{found['projection'][0]:,} in projections, "
        + ("none" if frozen else f"{found['pretrained'][0]:,}")
        + f" of {found['pretrained'][1]:,} pretrained.",
        help=f"**{name}**\n\n{text}",
    )


def _time(plan: Plan) -> None:
    found = pace.known(plan, runs.every()) or result(
        ("pace", repr(pace.like(plan))), "Estimating", lambda progress: pace.tried(plan, progress), group="pace"
    )
    name, text = words.TIME
    st.markdown(
        f"It takes **{duration(found.total(plan))}**, an estimate {found.source}.", help=f"**{name}**\n\n{text}"
    )
