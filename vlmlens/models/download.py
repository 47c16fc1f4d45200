"""A model's files from the Hugging Face hub into its local cache: resumable, with progress, and to be cancelled.

huggingface_hub lays the cache out and reads small files. Weights are fetched by its `http_get` into `<hash>.incomplete`
beside their place, where a later try goes on: the hub's own download begins a file anew.
"""

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from huggingface_hub import HfApi, constants, hf_hub_download, hf_hub_url
from huggingface_hub import errors as hub
from huggingface_hub.file_download import http_get
from huggingface_hub.utils._fixes import WeakFileLock
from huggingface_hub.utils._headers import build_hf_headers

from vlmlens.errors import ModelError, UserError, first_line
from vlmlens.models import cache
from vlmlens.progress import Progress

SMALL = (".json", ".jinja", ".txt", ".model")  # what a processor is read from
PATIENCE = 10  # seconds for the hub to answer


class Unreachable(ModelError):
    """The hub cannot be asked: no network, or offline mode."""


@dataclass(frozen=True)
class Listing:
    """What one revision of a repository holds."""

    folder: Path  # its snapshot in the cache
    sizes: dict[str, int]  # bytes, by file name
    hashes: dict[str, str]  # sha256 of the large ones


def fetch(repo: str, revision: str, progress: Progress | None = None, weights: bool = True) -> Path:
    """The snapshot of a revision, with all that a model needs; without its weights where they are not asked for.

    Raises ModelError, or Cancelled; what has arrived by then is kept, and is not fetched again.
    """
    progress = progress or Progress()
    try:
        progress.step(0.0, "asking the hub")
        found = _listing(repo, revision)
        small = [name for name in sorted(found.sizes) if name.endswith(SMALL)]
        _fetch(repo, found, small, progress)
        if weights:
            _fetch(repo, found, _weights(repo, found), progress)
    except UserError:
        raise
    except Exception as error:
        raise refusal(error, repo, revision) from error
    return found.folder


def download_size(repo: str, folder: Path) -> int | None:
    """Bytes of weights that a snapshot still lacks; None where the hub does not say."""
    try:
        found = _listing(repo, folder.name)
        return sum(found.sizes[name] for name in _weights(repo, found) if not (folder / name).exists())
    except Exception:
        return None


def _listing(repo: str, revision: str) -> Listing:
    config = Path(hf_hub_download(repo, "config.json", revision=revision, tqdm_class=_quiet()))
    info = HfApi().model_info(repo, revision=config.parent.name, files_metadata=True, timeout=PATIENCE)
    files = [file for file in info.siblings or () if "/" not in file.rfilename]
    return Listing(
        config.parent,
        {file.rfilename: file.size or 0 for file in files},
        {file.rfilename: file.lfs.sha256 for file in files if file.lfs is not None},
    )


def _weights(repo: str, found: Listing) -> list[str]:
    names = [cache.WEIGHTS] if cache.WEIGHTS in found.sizes else [path.name for path in cache.shards(found.folder)]
    if names[0] in found.sizes:
        return names
    if other := cache.other_weights(list(found.sizes)):
        raise ModelError(only_other_weights(repo, other))
    raise ModelError(f"The repository {repo} holds no {names[0]}; it is no model that transformers can load.")


def _fetch(repo: str, found: Listing, names: list[str], progress: Progress) -> None:
    """Files that are not here yet, one after the other."""
    wanted = [name for name in names if not (found.folder / name).exists()]
    total, before = sum(found.sizes[name] for name in wanted), 0
    for name in wanted:

        def told(arrived: int, name: str = name, before: int = before) -> None:
            done = before + arrived
            progress.step(done / max(1, total), f"downloading {name}, {amount(done)} of {amount(total)}")

        told(0)
        if name in found.hashes:
            _fetch_blob(repo, found, name, told, progress)
        hf_hub_download(repo, name, revision=found.folder.name, tqdm_class=_quiet())
        before += found.sizes[name]


def _fetch_blob(repo: str, found: Listing, name: str, told: Callable[[int], None], progress: Progress) -> None:
    """A large file to its place among the cache's blobs, from where an earlier try ended."""
    home, digest, size = cache.storage(repo), found.hashes[name], found.sizes[name]
    blob, part = home / "blobs" / digest, home / "blobs" / f"{digest}.incomplete"
    lock = home.parent / ".locks" / home.name / f"{digest}.lock"
    blob.parent.mkdir(parents=True, exist_ok=True)
    lock.parent.mkdir(parents=True, exist_ok=True)
    with WeakFileLock(lock):
        if blob.exists():
            return
        have = part.stat().st_size if part.exists() else 0
        if shutil.disk_usage(blob.parent).free < size - have:
            raise ModelError(f"The disk of {home.parent} has no room for {name} ({amount(size)}); free some space.")
        with part.open("ab") as file:
            http_get(
                hf_hub_url(repo, name, revision=found.folder.name),
                file,
                resume_size=have,
                headers=build_hf_headers(),
                expected_size=size,
                displayed_filename=name,
                tqdm_class=_quiet(told),
            )
        progress.step(progress.fraction, f"checking {name}")
        with part.open("rb") as file:
            right = hashlib.file_digest(file, "sha256").hexdigest() == digest
        if not right:
            part.unlink()
            raise ModelError(f"The file {name} arrived damaged and was thrown away; load {repo} again.")
        part.rename(blob)


class Counter:
    """Stands where huggingface_hub expects a progress bar, and hands on how many bytes of a file are here."""

    def __init__(self, told: Callable[[int], None] | None, initial: int) -> None:
        self.told, self.arrived = told, initial

    def __enter__(self) -> "Counter":
        return self

    def __exit__(self, *_error: object) -> None: ...

    def update(self, count: int = 1) -> None:
        self.arrived += count
        if self.told is not None:
            self.told(self.arrived)


def amount(count: float) -> str:
    """Bytes of a file, as the hub's pages tell them."""
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count / 1e3:.0f} kB"


def _quiet(told: Callable[[int], None] | None = None) -> Any:
    """What the hub makes its progress bars of."""

    def make(*_: Any, initial: int = 0, **__: Any) -> Counter:
        return Counter(told, initial)

    return make


def only_other_weights(name: str, file: str) -> str:
    return (
        f"“{name}” has no safetensors weights, only {file}, a format that can run code when it is read; take a "
        "repository that has safetensors, or convert this one at huggingface.co/spaces/safetensors/convert."
    )


def refusal(error: Exception, repo: str, revision: str) -> ModelError:
    """What the hub or the network said, as one sentence with what to do."""
    if isinstance(error, hub.LocalEntryNotFoundError) and isinstance(error.__cause__, hub.HfHubHTTPError):
        error = error.__cause__  # an answer that the hub's client takes for a lack of network
    status = getattr(getattr(error, "response", None), "status_code", None)
    at = "" if revision == constants.DEFAULT_REVISION else f"@{revision}"
    absent = f"“{repo}{at}” is neither a lab model, nor a folder, nor whole in the local Hugging Face cache, and"
    match error:
        case hub.HFValidationError():
            told = (
                f"“{repo}” is no model's name: give lab:concat, the path of a folder, or a hub name such as org/name."
            )
        case hub.GatedRepoError():
            told = (
                f"“{repo}” is gated: accept its terms on huggingface.co/{repo}, log in with `hf auth login` (or set "
                "HF_TOKEN), and load it again."
            )
        case hub.RevisionNotFoundError():
            told = f"“{repo}” has no revision “{revision}”; name a branch, a tag or a full commit hash after the @."
        case hub.RepositoryNotFoundError():
            told = (
                f"The hub has no model “{repo}”, or it is private: check the spelling (org/name); for a private one "
                "log in with `hf auth login`."
            )
        case hub.DisabledRepoError():
            told = f"The hub has disabled “{repo}”; take another model."
        case hub.RemoteEntryNotFoundError():
            told = f"“{repo}{at}” has no config.json, so it is no model that transformers can load; take another one."
        case hub.HfHubHTTPError() if status in (401, 403):
            told = f"The hub refuses “{repo}” to this machine's token; log in anew with `hf auth login`."
        case hub.HfHubHTTPError() if status is not None:
            told = f"The hub answered “{repo}” with error {status}; try again in a few minutes."
        case PermissionError():
            told = f"The cache {constants.HF_HUB_CACHE} cannot be written; set HF_HOME to a folder of yours."
        case _ if constants.is_offline_mode():
            return Unreachable(
                f"{absent} could not be fetched: offline mode is on. Unset HF_HUB_OFFLINE or name a model of the cache."
            )
        case hub.LocalEntryNotFoundError() | httpx2.ConnectError() | httpx2.ConnectTimeout():
            return Unreachable(
                f"{absent} could not be fetched: the hub cannot be reached. Check the network, then load it again."
            )
        case httpx2.HTTPError() | OSError():
            told = (
                f"The download of “{repo}” broke off ({first_line(error)}); load it again, and it goes on from there."
            )
        case _:
            told = f"{absent} could not be fetched: {first_line(error)}. Check the spelling and the network."
    return ModelError(told)
