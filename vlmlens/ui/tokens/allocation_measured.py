"""What was measured of allocation at equal totals, and what the described numbers imply."""

import pandas as pd
import streamlit as st

from vlmlens import charts
from vlmlens.tokens.described import DESCRIBED, implications
from vlmlens.tokens.measured import COMMAND, METHODS, OVERALL, PAIRS, Measured, read
from vlmlens.ui.look import chart, guard, titled
from vlmlens.ui.save import save_all
from vlmlens.ui.tokens import allocation_words as words

SAID = {"better": "better", "worse": "worse", "cannot say": "cannot say"}


def measured() -> None:
    """The comparison that one picture cannot give."""
    st.markdown("**Does it buy accuracy at the same total, over many pictures?**")
    with guard():
        found = read()
        if found is None:
            st.info(
                f"n/a: not measured yet. `python benchmarks/allocation.py --train` trains the adapters, `{COMMAND}` "
                "measures, in about four minutes of one core together."
            )
            return
        left, right = st.columns([1.2, 1], gap="large")
        with left:
            titled(verdict(found), words.MEASURED)
            figure = charts.accuracy_by_total(found.accuracies)
            chart(figure)
        with right:
            st.markdown(scores(found))
            frame = table(found)
            st.dataframe(frame, width="stretch", hide_index=True)
        about = found.about
        st.caption(
            f"{about['model']}, {about['items']:,} held-out items, {about['low']} to {about['high']} tokens a patch, "
            f"{about['draws']} draws by chance, {len(about['adapters'])} adapters · `{about['command']}` on "
            f"{about['date']}, torch {about['versions']['torch']}"
        )
        save_all(
            "allocation-measured",
            {"accuracy": figure},
            {"about": about, "differences": frame.to_dict("records")},
            frame,
            "allocation at equal totals",
        )


def verdict(found: Measured) -> str:
    """Each way against its control, over all totals, in words."""
    parts = []
    for one, other in PAIRS[:5]:
        difference = found.difference(one, other)
        if difference is None:
            continue
        words_ = {
            "better": f"**{one}** answers better than {other}: {difference}",
            "worse": f"**{one}** answers worse than {other}: {difference}",
            "cannot say": f"whether **{one}** answers better than {other} the numbers cannot say: {difference}",
        }
        parts.append(words_[difference.word] + _but(found, one, other, difference.word))
    if not parts:
        return "Nothing was compared."
    text = "; ".join(parts)
    return f"Over all totals, in points of accuracy: {text}."


def _but(found: Measured, one: str, other: str, overall: str) -> str:
    """The totals at which it is otherwise than over all."""
    each = [(total, found.difference(one, other, total)) for total in found.totals]
    otherwise = [f"{own.word} at {total}" for total, own in each if own is not None and own.word != overall]
    return f" (but {', '.join(otherwise)} tokens)" if otherwise else ""


def scores(found: Measured) -> str:
    """Which score finds what is asked about, and which points away."""
    said = []
    for each in found.findings:
        low, high = each.interval
        how = "finds it" if low > 0.5 else "points away from it" if high < 0.5 else "cannot be told from chance"
        said.append(f"{each.score} {how} ({each.value:.2f} [{low:.2f}, {high:.2f}])")
    return (
        "Does a score alone find the patches of what is asked about, at the glance? Area under the ROC curve, .5 is "
        f"chance: {'; '.join(said)}."
    )


def table(found: Measured) -> pd.DataFrame:
    """Every difference with its interval and its word."""
    rows = []
    for each in found.differences:
        seeds = "n/a"
        if each.seeds_interval is not None:
            seeds = f"[{100 * each.seeds_interval[0]:+.1f}, {100 * each.seeds_interval[1]:+.1f}]"
        rows.append(
            {
                "difference": f"{each.one} - {each.other}",
                "tokens": "all totals" if each.total == OVERALL else str(each.total),
                "points": str(each),
                "over seeds": seeds,
                "so": SAID[each.word],
            }
        )
    order = {name: index for index, name in enumerate(METHODS)}
    rows.sort(key=lambda row: (row["tokens"] != "all totals", order.get(str(row["difference"]).split(" - ")[0], 0)))
    return pd.DataFrame(rows)


def described() -> None:
    """The description's numbers, each recomputed."""
    titled("**What do the described numbers imply?**", words.DESCRIBED)
    facts = {
        "patches": DESCRIBED.patches,
        "tokens a patch": f"{DESCRIBED.low} to {DESCRIBED.high}",
        "total": f"{DESCRIBED.total:,}",
        "uniform": f"{DESCRIBED.uniform:,}",
        "mean": f"{DESCRIBED.mean:g}",
        "free to move": f"{DESCRIBED.free:,} ({DESCRIBED.share:.1%})",
    }
    st.caption(" · ".join(f"{name} {value}" for name, value in facts.items()))
    st.markdown("\n".join(f"- {each}" for each in implications()))
