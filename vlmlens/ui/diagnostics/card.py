"""The card: a diagnosis in words, then one row a test with its verdict, effect, interval, and a drawer of evidence."""

import streamlit as st

from vlmlens.charts import SCALES, SHAPES
from vlmlens.diagnostics import LABELS, TESTS, Diagnosis, ProbeSet, Row, Scorecard
from vlmlens.ui.diagnostics import drawer, words
from vlmlens.ui.diagnostics.whisker import whisker
from vlmlens.ui.diagnostics.work import Found
from vlmlens.ui.look import explain
from vlmlens.ui.results import escape
from vlmlens.ui.words import markdown

STYLE = """
<style>
.diag-row { display: grid; grid-template-columns: 6.9rem minmax(0, 1fr) minmax(8rem, 12rem) 10rem; gap: 0.7rem;
  align-items: center; font-size: 0.95rem; line-height: 1.3; }
.diag-row p { margin: 0; }
.diag-row .diag-said, .diag-row .diag-small { font-size: 0.84rem; opacity: 0.85; }
.diag-row .diag-number { font-size: 1.05rem; font-weight: 650; }
.diag-badge { display: inline-block; padding: 0.1rem 0.5rem; border-radius: 0.4rem; font-weight: 650;
  font-size: 0.82rem; white-space: nowrap; border: 1px solid #80808080; }
.diag-PASS { background: #009E7340; border-color: #009E73; }
.diag-FAIL { background: #D55E0040; border-color: #D55E00; }
.diag-INCONCLUSIVE { background: #80808030; }
.diag-VACUOUS, .diag-waiting { border-style: dashed; }
.diag-strip { display: flex; flex-wrap: wrap; gap: 0.3rem 0.8rem; font-size: 0.82rem; margin: 0.2rem 0; }
.diag-strip .diag-badge { font-size: 0.76rem; padding: 0 0.35rem; }
.diag-whisker { position: relative; height: 44px; margin: 0 10px; }
.diag-whisker i { position: absolute; box-sizing: border-box; }
.diag-whisker b { position: absolute; top: 28px; font-size: 0.72rem; font-weight: 400; opacity: 0.85; }
.st-key-diag-rows hr { margin: 0.1rem 0; }
@media (max-width: 900px) {
  .diag-row { grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); }
  .diag-row > .diag-told, .diag-row > .diag-bar { grid-column: 1 / -1; order: 2; }
}
</style>
"""


def draw(found: Found, probe: ProbeSet, tests: tuple[str, ...], ended: bool) -> None:
    """All of it; tests that have not come yet keep their place."""
    card = found.card
    _told(card, tests, ended)
    rows = {row.name: row for row in card.rows}
    with st.container(key="diag-rows"):
        st.html(STYLE)
        for name in tests:
            if name in rows:
                _row(rows[name], found, probe, ended)
            else:
                waiting(name)
    floor = rows["dependency"].details.get("noise_floor_bits") if "dependency" in rows else None
    told = [f"Over {card.probe}", f"seed {card.seed}"]
    told += [f"answers told apart by {card.scoring}"] if card.scoring else []
    st.caption(" · ".join(told + ([f"noise floor {floor:.0e} bit"] if floor is not None else [])))
    if card.weak:
        st.warning(f"Weak evidence. {card.weak}", icon=":material/info:")


def _told(card: Scorecard, tests: tuple[str, ...], ended: bool) -> None:
    """What it is, why, what to do; and the verdicts at a glance."""
    named = {row.name: row.verdict for row in card.rows}
    if card.diagnosis is not None:
        _diagnosis(card.diagnosis)
    else:
        state = "Stopped before the last test" if ended else f"Test {len(named)} of {len(tests)} done"
        st.html(f'<p class="lens-answer">{state}<small>the diagnosis needs all of them</small></p>')
    chips = [f"<span>{name} {badge(named.get(name, ''))}</span>" for name in tests]
    strip, more = st.columns([15, 1], vertical_alignment="center", gap="small")
    strip.html(f'{STYLE}<div class="diag-strip">{"".join(chips)}</div>')
    with more:
        explain(*words.CARD)


def _diagnosis(found: Diagnosis) -> None:
    label = LABELS[found.name]
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.html(f'<p class="lens-answer">{label.name.capitalize()}<small>{escape(label.sentence)}</small></p>')
        explain(*words.DIAGNOSIS)
    why = found.sentence.removeprefix(f"{label.name.capitalize()}. {label.sentence}").strip()
    st.markdown(f"{markdown(why)} **What to do:** {markdown(found.advice)}")


def badge(verdict: str) -> str:
    """HTML: a word and a shape."""
    if not verdict:
        return '<span class="diag-badge diag-waiting">… waiting</span>'
    return f'<span class="diag-badge diag-{verdict}">{SHAPES[verdict]} {verdict}</span>'


def _row(row: Row, found: Found, probe: ProbeSet, ended: bool) -> None:
    scale = SCALES[row.name]
    low, high = row.interval
    interval = f"95 %: {scale.write(low)} to {scale.write(high)}" if low == low else "no interval"
    weighed = [f"n {row.n}"]
    weighed += [f"{name} {_small(value)}" for name, value in (("p", row.p), ("q", row.q)) if value is not None]
    drawn = whisker(row.effect, row.interval, scale, row.name) if row.effect == row.effect else ""
    html = (
        f'<div class="diag-row"><div>{badge(row.verdict)}</div>'
        f'<div class="diag-told"><p><b>{row.name}</b> · {escape(row.question)}</p>'
        f'<p class="diag-said">{escape(row.sentence)}</p></div>'
        f'<div class="diag-bar">{drawn}</div>'
        f'<div class="diag-effect"><p class="diag-number">{scale.write(row.effect)}</p>'
        f'<p class="diag-small">{interval}<br>{" · ".join(weighed)}</p></div></div>'
    )
    key = f"diag-drawer-{row.name}"
    told, more = st.columns([4.9, 1], vertical_alignment="center", gap="small")
    told.html(html)
    if ended:
        with more.container(horizontal=True, vertical_alignment="center", horizontal_alignment="right", gap="small"):
            opened = st.toggle("Evidence", key=key)
            explain(*words.TESTS[row.name])
    if ended and opened:
        with st.container(border=True):
            drawer.draw(row, found, probe)


def waiting(name: str) -> None:
    """A test that has not come yet: what it asks, and when it passes."""
    test = TESTS[name]
    st.html(
        f'<div class="diag-row"><div>{badge("")}</div><div class="diag-told"><p><b>{name}</b> · '
        f'{escape(test.question)}</p><p class="diag-said">{escape(test.threshold)}</p></div></div>'
    )


def _small(value: float) -> str:
    return "< .001" if value < 0.001 else f"{value:.3f}".lstrip("0") if value < 1 else "1"
