"""Train: choose, start, watch it learn; stop, resume, compare, open what came of it."""

import streamlit as st

from vlmlens.lab import runs
from vlmlens.lab.runs import Run
from vlmlens.ui.fusion.train import begin, compare, form, listing, one, state, steer, wanted, work
from vlmlens.ui.jobs import in_words
from vlmlens.ui.look import guard

REDRAW = 1.0  # seconds between two drawings of what grows

TEACH = """
Nothing has been trained here yet. A run shows, while it goes on:

- **held-out accuracy** with its interval, beside the same questions with an empty board: the distance between the two \
is what seeing brings;
- the **loss**, and what guessing would cost;
- the **image share** by two rulers, which need not agree;
- the **gates** of a gated wiring, and the **norms of the gradient** by group.

**A first experiment**: *gated, with gates from zero*. In the beginning no layer lets anything of the picture through, \
and the model can do no better than one that never looks; watch the gates open, and the two accuracies part. \
The form is set to it: press **Start training**.
"""


def draw() -> None:
    wanted.restore()
    left, right = st.columns([1, 2.8], gap="large")
    with left:
        form.draw()
        foot = st.container()
    with right:
        _runs()
    with foot, guard():
        begin.draw()
    wanted.remember()
    state.remember()


def _runs() -> None:
    """What is under way, what is shown of the runs, and the table of all of them."""
    every = runs.every()
    busy = work.under_way()
    usual = busy.name if busy else every[0].name if every else None
    state.restore([run.name for run in every], usual)
    watched = busy is not None or any(run.training for run in every)

    @st.fragment(run_every=REDRAW if watched else None)
    def now() -> None:
        going = work.under_way()
        if going is not busy or [run.name for run in runs.every()] != [run.name for run in every]:
            # Begun, ended or deleted, by a button in here or by somebody else: what stands around this changes, too.
            st.rerun(scope="app")
        try:
            if going is not None:
                steer.draw(going)
            _shown(every)
        except Exception as error:  # a fragment runs without the page and its guard
            st.error(in_words(error))

    if every:
        listing.choose([run.name for run in every])
    now()
    for name, told in runs.damaged().items():
        listing.damaged(name, told)
    if every:
        with st.expander(f"All {len(every)} runs" if len(every) > 1 else "The one run there is"):
            st.dataframe(listing.table(every), width="stretch", hide_index=True)


def _shown(every: tuple[Run, ...]) -> None:
    chosen = [run for name in state.shown() for run in every if run.name == name]
    if not every:
        st.markdown(TEACH)
    elif not chosen:
        st.info("No run is chosen; take one to look at it, or several to compare them.")
    elif len(chosen) == 1:
        one.draw(chosen[0])
    else:
        compare.draw(chosen)
