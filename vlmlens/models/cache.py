"""The local Hugging Face cache, and folders laid out like its snapshots: what is there, and what is missing.

Reads the disk alone: nothing here asks the network.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import constants
from huggingface_hub.file_download import repo_folder_name

from vlmlens.errors import ModelError

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Cached:
    """A model of the cache, whole."""

    name: str  # org/name, or org/name@revision where that is not its main branch
    config: dict[str, Any]
    size: int  # bytes of its weights


def storage(repo: str) -> Path:
    """The folder in which the cache keeps a repository: refs/, snapshots/, blobs/."""
    return Path(constants.HF_HUB_CACHE).expanduser() / repo_folder_name(repo_id=repo, repo_type="model")


def snapshot(repo: str, revision: str) -> Path | None:
    """The folder of one revision (branch, tag or full commit), whole or not; None where there is none."""
    home = storage(repo)
    commit = revision
    if not COMMIT.fullmatch(revision):
        try:
            commit = (home / "refs" / revision).read_text().strip()
        except (OSError, ValueError):
            return None
    folder = home / "snapshots" / commit
    return folder if COMMIT.fullmatch(commit) and folder.is_dir() else None


def shards(folder: Path) -> tuple[Path, ...]:
    """The files that hold a model's weights, there or not. Raises ModelError for an index that cannot be read."""
    if (folder / WEIGHTS).exists() or not (folder / INDEX).exists():
        return (folder / WEIGHTS,)
    try:
        names = set(json.loads((folder / INDEX).read_text())["weight_map"].values())
    except (OSError, ValueError, LookupError, AttributeError, TypeError) as error:
        raise ModelError(f"The file {INDEX} in {folder} is damaged; delete it and load again.") from error
    if not names or any(not isinstance(name, str) or Path(name).name != name for name in names):
        raise ModelError(f"The file {INDEX} in {folder} names no files beside it; the download is damaged.")
    return tuple(folder / name for name in sorted(names))


def missing(folder: Path) -> tuple[str, ...]:
    """Files of the weights that are not there; a link in the cache to a file that is gone counts as missing."""
    return tuple(path.name for path in shards(folder) if not path.exists())


def other_weights(names: list[str]) -> str | None:
    """Of these files one with weights in a format that can run code when it is read, if there is one."""
    return next((name for name in sorted(names) if name.endswith((".bin", ".pt", ".pth", ".ckpt"))), None)


def cached() -> Iterator[Cached]:
    """The whole models of the cache, by name. What cannot be read is left out."""
    home = Path(constants.HF_HUB_CACHE).expanduser()
    for folder in sorted(home.glob("models--*")):
        try:
            yield from _whole(folder)
        except (OSError, ValueError, ModelError):
            continue


def _whole(home: Path) -> Iterator[Cached]:
    repo = home.name.removeprefix("models--").replace("--", "/")
    refs = {path.relative_to(home / "refs").as_posix(): path for path in (home / "refs").rglob("*") if path.is_file()}
    commits = {path.read_text().strip(): name for name, path in sorted(refs.items(), key=lambda ref: ref[0] == "main")}
    for folder in sorted((home / "snapshots").iterdir()):
        files = shards(folder)
        if not (folder / "config.json").exists() or not all(path.exists() for path in files):
            continue
        config = json.loads((folder / "config.json").read_text())
        if isinstance(config, dict):
            revision = commits.get(folder.name, folder.name)
            name = repo if revision == "main" else f"{repo}@{revision}"
            yield Cached(name, config, sum(path.stat().st_size for path in files))
