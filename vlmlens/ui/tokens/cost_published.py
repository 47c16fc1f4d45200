"""Published numbers about compressing image tokens, each worked out again on the page."""

import pandas as pd
import streamlit as st

from vlmlens.tokens.published import QUOTATIONS, TABLE, example
from vlmlens.ui.look import titled
from vlmlens.ui.tokens import cost_words as words

SHAPES = {"agrees": "✓ agrees", "disagrees": "✕ disagrees", "cannot say": "~ cannot say"}


def draw_published() -> None:
    left, right = st.columns([1, 1.25], gap="large")
    with left:
        found = example()
        titled(
            f"**The survey's example.** {found.token_ratio:.0f} times fewer image tokens make {found.pair_ratio:.2f} "
            f"times fewer pairs, and {found.cost_ratio:.2f} times fewer operations in all: scores and mixing are only "
            f"{found.attention_share:.0%} of the decoder's work even at {found.images[0] + found.text:,} tokens.",
            words.EXAMPLE,
        )
        direct, compressed = (cost.decoder / 1e12 for cost in found.costs)
        whole = (
            f"All operations of a decoder of that many layers (LLaVA-1.5 7B): {direct:.2f} / {compressed:.2f} TFLOP = "
            f"{found.cost_ratio:.2f} times fewer"
        )
        st.markdown("\n".join(f"1. {step}" for step in (*found.steps(), whole)))
    with right:
        agreeing = sum(row.verdict == "agrees" for row in TABLE)
        titled(
            f"**The compression table.** {agreeing} of {len(TABLE)} ratios agree with their own numbers; an open one "
            "cannot be checked.",
            words.RATIOS,
        )
        st.table(
            pd.DataFrame(
                [
                    {
                        "how": row.how,
                        "tokens": f"{row.before:,}{'+' * row.at_least} to {row.after:,}",
                        "ratio": f"{'≥ ' * row.at_least}{row.ratio:.2f}",
                        "told as": f"{row.told:g} : 1",
                        "": SHAPES[row.verdict],
                        "note": row.note,
                    }
                    for row in TABLE
                ]
            ).set_index("how")
        )
        wrong = [row for row in QUOTATIONS if row.verdict == "disagrees"]
        titled(
            f"**Quoted counts.** {len(wrong)} of {len(QUOTATIONS)} counts that are often told differ from what the "
            "model's own rule makes.",
            words.QUOTED,
        )
        st.table(
            pd.DataFrame(
                [
                    {
                        "told of": row.what,
                        "told": f"{row.told:,}",
                        "by its rule": f"{row.found:,}",
                        "": SHAPES[row.verdict],
                        "why": row.why,
                    }
                    for row in QUOTATIONS
                ]
            ).set_index("told of")
        )
