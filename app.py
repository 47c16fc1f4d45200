"""Navigation and nothing else."""

import streamlit as st

from vlmlens.ui import warm_once

warm_once()
st.navigation([st.Page("pages/1_inspect.py", title="Inspect", default=True)], position="hidden").run()
