"""What usual budgets of image tokens cost in the chosen model, and the lab's accuracy at the same share of tokens."""

import pandas as pd
import streamlit as st

from vlmlens import charts
from vlmlens.lab.compress.measured import COMMAND, Measured, read
from vlmlens.tokens.budgets import Budget, budgets, in_the_lab
from vlmlens.tokens.models import Real
from vlmlens.ui.look import chart, titled
from vlmlens.ui.models import memory
from vlmlens.ui.tokens import cost_words as words

TERA = 1e12
FIRST = "query-aware top-k"  # the compressor that knows the question, as pruning in large models does


def draw_budgets(real: Real, size: tuple[int, int], text: int, dtype: str) -> dict[str, charts.Figure]:
    """The figures, by name."""
    found = budgets(real, size, text)
    titled(_sentence(real, found), words.BUDGETS)
    figures = {"budgets": charts.cost_parts({f"{each.tokens:,} tokens": each.cost for each in found})}
    measured = read()
    left, right = st.columns([1.4, 1], gap="medium")
    with left:
        chart(figures["budgets"])
    compressor = ""
    with right:
        if measured is None or not measured.compressors:
            st.info(f"n/a: the lab's accuracy is not measured yet; `{COMMAND}` trains and measures every compressor.")
        else:
            compressor = _compressor(measured)
            beside = [
                (
                    f"{each.tokens:,} tokens",
                    scaled[1] if (scaled := in_the_lab(measured, compressor, each.share)) else None,
                )
                for each in found
            ]
            figures["scaled accuracy"] = charts.scaled_accuracy(beside, float(measured.about.get("floor", 0.5)))
            chart(figures["scaled accuracy"])
    st.dataframe(_table(found, dtype, measured, compressor), width="stretch", hide_index=True)
    return figures


def _compressor(measured: Measured) -> str:
    names = [name for name in measured.compressors if len(measured.budgets(name)) > 1]
    return str(
        st.selectbox(
            "The lab's accuracy, scaled: compressor",
            names or list(measured.compressors),
            index=names.index(FIRST) if FIRST in names else 0,
            key="cost-compressor",
            bind="query-params",
            help="Measured on lab scenes where it keeps the same share of 36 tokens. Dashed: what needs no picture.",
        )
    )


def _sentence(real: Real, found: list[Budget]) -> str:
    least, most = found[0], found[-1]
    return (
        f"**Budgets.** With {least.tokens} image tokens a pass of {real.name} takes {least.ratio:.0%} of what its own "
        f"count takes, with {most.tokens:,} it takes {most.ratio:.0%}; keys and values go from "
        f"{memory(least.cost.cache())} to {memory(most.cost.cache())} in bf16."
    )


def _table(found: list[Budget], dtype: str, measured: Measured | None, compressor: str) -> pd.DataFrame:
    lines = []
    for each in found:
        cost = each.cost
        lines.append(
            {
                "image tokens": f"{each.tokens:,}",
                "of its own count": f"{each.share:.0%}",
                "pairs": f"{cost.pairs:,}",
                "TFLOP": f"{cost.total / TERA:.2f}",
                "of its own cost": f"{each.ratio:.0%}",
                f"keys and values, {dtype}": memory(cost.cache(dtype)),
                "lab, scaled": _scaled(each, measured, compressor),
            }
        )
    return pd.DataFrame(lines)


def _scaled(budget: Budget, measured: Measured | None, compressor: str) -> str:
    if measured is None or not compressor:
        return "not measured yet"
    if budget.share > 1:
        return "n/a: more than it makes"
    scaled = in_the_lab(measured, compressor, budget.share)
    return f"{scaled[1]} at {scaled[0]} of 36" if scaled else "n/a: no such share measured"
