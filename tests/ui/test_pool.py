"""One load for all sessions, and memory that comes back; measured in a process of its own, free of others' garbage."""

import subprocess
import sys
import threading
import time

import pytest

from vlmlens.errors import ModelError, NoRoom
from vlmlens.progress import Cancelled, Progress
from vlmlens.ui import pool

SCRIPT = """
import gc, sys, threading
from pathlib import Path
from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration
from vlmlens.lab.llava import make_processor
from vlmlens.ui import pool

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

words = (processor := make_processor()).tokenizer
config = LlavaConfig(
    vision_config=CLIPVisionConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, image_size=48, patch_size=8
    ),
    text_config=LlamaConfig(
        vocab_size=len(words), hidden_size=512, intermediate_size=4096, num_hidden_layers=6, num_attention_heads=8
    ),
    image_token_id=words.convert_tokens_to_ids("<image>"),
    image_seq_length=36,
    vision_feature_layer=-1,
)
LlavaForConditionalGeneration(config).save_pretrained(sys.argv[1])
processor.save_pretrained(sys.argv[1])
gc.freeze()
pool.get("lab:llava")  # what the libraries keep is theirs
pool.give_back()
before = resident()
pool.GRACE = 0
loads, load = [], pool.load
pool.load = lambda *args, **options: loads.append(args) or load(*args, **options)

def open_tab(session):
    pool.hold(session, [sys.argv[1]])
    pool.get(sys.argv[1])

tabs = [threading.Thread(target=open_tab, args=(name,)) for name in ("one", "two")]
for tab in tabs:
    tab.start()
for tab in tabs:
    tab.join()
weights, both = pool.get(sys.argv[1]).info.memory, resident() - before
pool.leave("one")
one = resident() - before
pool.leave("two")
print(len(loads), weights, both, one, resident() - before)
"""


def test_two_sessions_load_a_model_once_and_the_last_to_leave_gives_its_memory_back(tmp_path):
    ran = subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path)], capture_output=True, text=True, check=True)
    loads, weights, both, one, none = map(int, ran.stdout.split())
    assert loads == 1
    assert weights > 150e6
    assert 0.9 * weights < both < 1.5 * weights
    assert one > 0.9 * weights
    assert none < 0.1 * weights


class Loads:
    """Stands for `load`: what was loaded, and how many models have room at once."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.room = 99
        self.error: BaseException | None = None

    def __call__(self, name: str, *_: object, progress: Progress | None = None, **__: object) -> object:
        if self.error is not None:
            raise self.error
        if len([each for each in pool._large() if each != name]) >= self.room:
            raise NoRoom("It will not fit.")
        self.names.append(name)
        time.sleep(0.01)
        return object()


@pytest.fixture
def loads(monkeypatch):
    """An empty pool, over loads that cost nothing."""
    found = Loads()
    monkeypatch.setattr(pool, "load", found)
    monkeypatch.setattr(pool, "give_back", lambda: None)
    monkeypatch.setattr(pool, "_models", type(pool._models)())
    monkeypatch.setattr(pool, "_sessions", {})
    monkeypatch.setattr(pool, "GRACE", 0)
    return found


def test_the_least_recently_asked_goes_first_and_never_one_that_is_held(loads):
    pool.hold("one", ["a"])
    for name in ("a", "b", "c"):
        pool.get(name)
    assert [name for name in "abc" if pool.here(name)] == ["a", "c"]
    pool.hold("two", ["c"])
    pool.hold("one", ["a", "d"])
    pool.get("d")
    assert [name for name in "abcd" if pool.here(name)] == ["a", "c", "d"]  # more than the limit, all held


def test_where_memory_is_short_others_make_room(loads):
    loads.room = 1
    pool.get("a")
    pool.get("b")
    assert [name for name in "ab" if pool.here(name)] == ["b"]
    pool.hold("one", ["b"])
    with pytest.raises(NoRoom):
        pool.get("c")
    assert pool.here("b")
    assert not pool.here("c")


def test_what_another_session_has_asked_stays_and_lab_models_stay(loads):
    pool.hold("one", ["a", "lab:concat"])
    pool.hold("two", ["a"])
    pool.hold("two", ["b"])
    for name in ("a", "b", "lab:concat"):
        pool.get(name)
    pool.leave("one")
    assert pool.here("a")
    pool.leave("two")
    assert [name for name in ("a", "b", "lab:concat") if pool.here(name)] == ["lab:concat"]
    pool.leave("nobody")


def test_a_browser_that_is_reloaded_finds_its_model_where_it_was(loads, monkeypatch):
    monkeypatch.setattr(pool, "GRACE", 0.05)
    pool.hold("before", ["a", "b"])
    pool.get("a")
    pool.get("b")
    pool.leave("before")
    pool.hold("after", ["a"])
    for _ in range(100):
        if not pool.here("b"):
            break
        time.sleep(0.02)
    assert pool.here("a")
    assert not pool.here("b")


@pytest.mark.parametrize("error", [ModelError("no"), Cancelled("stopped"), MemoryError()])
def test_a_load_that_fails_is_told_to_all_who_wait_and_may_be_tried_again(loads, error):
    loads.error = error
    seen: list[BaseException] = []

    def ask() -> None:
        try:
            pool.get("a")
        except BaseException as found:
            seen.append(found)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 3
    assert {type(found) for found in seen} == {type(error)}
    assert not pool.here("a")
    loads.error = None
    pool.get("a")
    assert pool.here("a")
