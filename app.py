"""Navigation and nothing else."""

import streamlit as st

from vlmlens.ui import warm_once

warm_once()
st.navigation(
    [
        st.Page("app_pages/inspect.py", title="Inspect", default=True),
        st.Page("app_pages/counterfactual.py", title="Counterfactual"),
        st.Page("app_pages/fusion.py", title="Fusion"),
        st.Page("app_pages/information.py", title="Information"),
        st.Page("app_pages/diagnostics.py", title="Diagnostics"),
        st.Page("app_pages/tokens.py", title="Tokens"),
        st.Page("app_pages/learn.py", title="Learn"),
    ],
    position="top",
).run()
