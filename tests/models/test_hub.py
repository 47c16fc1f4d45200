"""A model comes from the hub or from the cache of one, whole or not at all; whatever hinders it is one sentence."""

import gc
import json
import runpy
import shutil
from pathlib import Path

import pytest
from huggingface_hub import constants

import vlmlens
from vlmlens.errors import ModelError
from vlmlens.lab.scenes import Scene, Thing
from vlmlens.models import cache
from vlmlens.models.download import fetch
from vlmlens.progress import Cancelled, Progress

REPO = "org/tiny-llava"
SCENE = Scene((Thing(0, "red", "circle", "large"),))
QUESTION = "what color is the circle?"
HUB = runpy.run_path(str(Path(__file__).parents[1] / "hub.py"))
commit_of, put = HUB["commit_of"], HUB["put"]


@pytest.fixture
def offline(monkeypatch):
    """offline(): from here on no request is made."""
    return lambda: monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)


@pytest.fixture(autouse=True)
def empty_cache(home):
    return home


class Told(Progress):
    """Remembers what it was told, and can stop at a word."""

    def __init__(self, stop_at: str = "") -> None:
        super().__init__()
        self.steps: list[tuple[float, str]] = []
        self.stop_at = stop_at

    def step(self, fraction: float, doing: str = "") -> None:
        self.steps.append((fraction, doing))
        if self.stop_at and self.stop_at in doing and len([s for s in self.steps if self.stop_at in s[1]]) > 3:
            self.cancel()
        super().step(fraction, doing)


def refused(name: str = REPO, **options) -> str:
    with pytest.raises(ModelError) as caught:
        vlmlens.load(name, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def logits(model):
    return model.inspect(SCENE, QUESTION).probabilities


@pytest.fixture
def changed(sharded, tmp_path):
    """Another version of the model: its head says the opposite."""
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(sharded, tmp_path / "changed")
    for file in folder.glob("model-*.safetensors"):
        state = {name: -value if "lm_head" in name else value for name, value in load_file(file).items()}
        save_file(state, file, {"format": "pt"})
    return folder


# The cache alone


def test_a_cached_model_is_found_without_a_network(sharded, home, grouped_folder):
    put(sharded, home)
    model = vlmlens.load(REPO)
    assert model.name == REPO
    assert model.info.revision == commit_of(sharded)
    assert logits(model) == pytest.approx(logits(vlmlens.load(str(grouped_folder))))


def test_a_revision_is_honoured(sharded, changed, home):
    put(sharded, home)
    put(changed, home, "v2")
    main, by_name = vlmlens.load(REPO), vlmlens.load(f"{REPO}@v2")
    by_hash = vlmlens.load(REPO, revision=commit_of(changed))
    assert by_name.info.revision == by_hash.info.revision == commit_of(changed) != main.info.revision
    assert logits(by_name) == logits(by_hash) != logits(main)


def test_names_of_revisions_that_are_none(sharded, home, tmp_path):
    put(sharded, home)
    (home / "secret").write_text("x" * 40)
    for name in (f"{REPO}@", f"{REPO}@../../secret", f"{REPO}@a b", f"{REPO}@@", f"{REPO}@a//b"):
        assert "after @ comes" in refused(name)
    assert "give one of them" in refused(f"{REPO}@main", revision="v2")
    assert "offline mode" in refused(f"{REPO}@v9")
    assert "has no revisions" in refused(str(sharded), revision="main")
    assert "has no revisions" in refused("lab:concat", revision="main")


def test_what_is_half_there_says_what_is_missing_and_that_it_goes_on(sharded, home):
    snapshot = put(sharded, home)
    gone = sorted(snapshot.glob("model-*.safetensors"))[1]
    gone.resolve().unlink()  # the link stays, as after a cleaned-up blob
    message = refused()
    assert gone.name in message
    assert "goes on where the download stopped" in message


def test_a_damaged_file_is_named(sharded, home):
    snapshot = put(sharded, home)
    hurt = sorted(snapshot.glob("model-*.safetensors"))[2]
    content = hurt.read_bytes()
    hurt.resolve().write_bytes(content[:-100])
    message = refused()
    assert hurt.name in message
    assert f"delete {hurt.resolve()} and load again" in message


def test_a_damaged_file_that_is_deleted_as_told_is_fetched_again(hub, sharded, home):
    snapshot = put(sharded, home)
    hurt = sorted(snapshot.glob("model-*.safetensors"))[2]
    hurt.resolve().write_bytes(b"junk")
    Path(refused().partition("delete ")[2].partition(" and load")[0]).unlink()
    vlmlens.load(REPO)
    assert [path for method, path, _ in hub.requests if method == "GET" and path.endswith(".safetensors")] == [
        f"/{REPO}/resolve/{commit_of(sharded)}/{hurt.name}"
    ]


def test_a_load_that_is_cancelled_keeps_nothing(sharded):
    from transformers import LlavaForConditionalGeneration

    def alive() -> int:
        gc.collect()
        return sum(type(thing) is LlavaForConditionalGeneration for thing in gc.get_objects())

    before = alive()
    with pytest.raises(Cancelled) as caught:
        vlmlens.load(str(sharded), progress=Told("reading model-"))
    assert alive() == before
    assert caught.value is not None  # still held here, as the app holds what it shows


@pytest.mark.parametrize("text", ["{", "[]", '{"weight_map": {}}', '{"weight_map": {"a": "../../b"}}', "{}"])
def test_a_damaged_index_is_named(sharded, tmp_path, text):
    folder = shutil.copytree(sharded, tmp_path / "model")
    (folder / cache.INDEX).write_text(text)
    assert cache.INDEX in refused(str(folder))


def test_weights_that_could_run_code_are_not_read(sharded, home, tmp_path):
    folder = shutil.copytree(sharded, tmp_path / "model", ignore=shutil.ignore_patterns("model*"))
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04")
    put(folder, home)
    for name in (REPO, str(folder)):
        message = refused(name)
        assert "pytorch_model.bin" in message
        assert "run code" in message


def test_a_dual_encoder_is_refused_with_the_reason(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "clip"}))
    assert "answers no question" in refused(str(tmp_path))


def test_whole_models_of_known_families_are_listed(sharded, home):
    def listed() -> dict[str, vlmlens.models.Listed]:
        return {model.name: model for model in vlmlens.list_models() if not vlmlens.models.ours(model.name)}

    assert listed() == {}
    put(sharded, home)
    put(sharded, home, "v2", repo="org/pinned")
    half = put(sharded, home, repo="org/half")
    next(half.glob("model-*.safetensors")).resolve().unlink()
    other = put(sharded, home, repo="org/bert")
    (other / "config.json").unlink()
    (other / "config.json").write_text('{"model_type": "bert"}')
    (home / "models--org--junk").mkdir()
    (home / "models--org--odd" / "snapshots").mkdir(parents=True)
    (home / "models--org--odd" / "snapshots" / "file").touch()
    found = listed()
    assert set(found) == {REPO, "org/pinned@v2"}
    assert found[REPO].family == "LLaVA-1.5"
    assert found[REPO].present
    assert found[REPO].size == sum(file.stat().st_size for file in sharded.glob("model-*.safetensors"))
    assert vlmlens.load("org/pinned@v2").info.revision == commit_of(sharded)


# With a hub


def test_a_download_is_whole_and_is_not_repeated(hub, sharded, offline):
    told = Told()
    model = vlmlens.load(REPO, progress=told)
    assert model.info.revision == commit_of(sharded)
    folder = cache.snapshot(REPO, "main")
    assert folder is not None
    for file in sharded.iterdir():
        assert (folder / file.name).read_bytes() == file.read_bytes()
    fractions = [fraction for fraction, doing in told.steps if "reading model-" in doing]
    assert fractions == sorted(fractions)
    assert {file.name for file in sharded.glob("model-*.safetensors")} == {
        doing.split()[1].rstrip(",") for _, doing in told.steps if doing.startswith("reading model-")
    }
    count = len(hub.requests)
    offline()
    assert logits(vlmlens.load(REPO)) == logits(model)
    assert len(hub.requests) == count


def test_a_cancelled_download_goes_on_where_it_stopped(hub, sharded):
    with pytest.raises(Cancelled):
        fetch(REPO, "main", Told("downloading model-"))
    (part,) = (cache.storage(REPO) / "blobs").glob("*.incomplete")
    held = part.stat().st_size
    assert held > 0
    hub.requests.clear()
    folder = fetch(REPO, "main")
    ranges = [asked for method, _, asked in hub.requests if method == "GET" and asked]
    assert ranges == [f"bytes={held}-"]
    assert not part.exists()
    for file in sharded.iterdir():
        assert (folder / file.name).read_bytes() == file.read_bytes()


def test_a_connection_that_breaks_off_is_taken_up_again(hub, sharded):
    hub.cut = 50_000
    folder = fetch(REPO, "main")
    assert [asked for *_, asked in hub.requests if asked]
    for file in sharded.glob("model-*.safetensors"):
        assert (folder / file.name).read_bytes() == file.read_bytes()


def test_what_arrives_damaged_is_thrown_away(hub, sharded):
    largest = max(sharded.glob("model-*.safetensors"), key=lambda file: file.stat().st_size)
    with pytest.raises(Cancelled):
        fetch(REPO, "main", Told("downloading model-"))
    (part,) = (cache.storage(REPO) / "blobs").glob("*.incomplete")
    part.write_bytes(b"x" * part.stat().st_size)
    assert "damaged" in refused()
    assert fetch(REPO, "main") / largest.name


def test_a_revision_is_fetched_by_name_and_by_hash(hub, sharded, changed):
    hub.repos[REPO]["v2"] = changed
    assert fetch(REPO, "v2").name == commit_of(changed)
    assert fetch(REPO, commit_of(sharded)).name == commit_of(sharded)
    assert "no revision “v3”" in refused(f"{REPO}@v3")


def test_what_a_processor_needs_comes_without_the_weights(hub):
    folder = fetch(REPO, "main", weights=False)
    assert (folder / "processor_config.json").exists()
    assert (folder / "tokenizer.json").exists()
    assert not list(folder.glob("*.safetensors"))


def test_refusals_of_the_hub(hub, sharded, tmp_path):
    hub.repos["org/gated"] = {"main": sharded}
    hub.gated.add("org/gated")
    message = refused("org/gated")
    assert "gated" in message
    assert "hf auth login" in message
    assert "no model “org/typo”" in refused("org/typo")
    folder = shutil.copytree(sharded, tmp_path / "bin", ignore=shutil.ignore_patterns("model*"))
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04")
    hub.repos["org/bin"] = {"main": folder}
    assert "run code" in refused("org/bin")
    (tmp_path / "empty").mkdir()
    hub.repos["org/empty"] = {"main": tmp_path / "empty"}
    assert "no config.json" in refused("org/empty")
    hub.broken[f"/{REPO}/resolve/main/config.json"] = 403
    assert "token" in refused()
    hub.broken[f"/{REPO}/resolve/main/config.json"] = 418
    assert "error 418" in refused()


def test_a_hub_that_is_not_there(hub):
    hub.stop()
    assert "cannot be reached" in refused()
