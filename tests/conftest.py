"""One thread for torch, because the tests share their cores, and no hub: nothing in the tests may need a network."""

import os

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"
