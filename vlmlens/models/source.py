"""What a person typed as a model's name, and the folder its files lie in."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import constants

from vlmlens.errors import ModelError
from vlmlens.models import cache
from vlmlens.models.download import Unreachable, fetch, only_other_weights
from vlmlens.progress import Progress

PROCESSOR = {  # any of these files says what a picture, or a text, is to become
    "preprocessor_config.json": {"preprocessor_config.json", "processor_config.json"},
    "tokenizer.json": {"tokenizer.json", "tokenizer.model", "tokenizer_config.json", "vocab.json", "spiece.model"},
}
REVISION = re.compile(r"[\w][\w.\-]*(/[\w][\w.\-]*)*")


@dataclass(frozen=True)
class Files:
    """A model's files on this disk."""

    name: str  # as it was typed
    folder: Path
    revision: str  # a commit of the hub's, or "local" for a folder
    repo: str = ""  # org/name; "" for a folder


def is_folder(name: str) -> bool:
    """Whether a name is meant as a path."""
    return Path(name).is_absolute() or name.startswith((".", "~")) or os.path.exists(name)


def split(name: str, revision: str | None = None) -> tuple[str, str]:
    """Repository and revision of a hub name: org/name, or org/name@revision. Raises ModelError."""
    repo, _, written = name.partition("@")
    if written and revision and written != revision:
        raise ModelError(f"“{name}” names one revision and revision={revision} another; give one of them.")
    revision = written or revision or constants.DEFAULT_REVISION
    if name.endswith("@") or not REVISION.fullmatch(revision):
        raise ModelError(f"“{name}” names no revision: after @ comes a branch, a tag or a full commit hash.")
    return repo, revision


def find(name: str, revision: str | None = None, progress: Progress | None = None, weights: bool = True) -> Files:
    """The files of a folder or hub name. What the cache holds whole is taken as it is, without asking the network.

    Without `weights`, only what a config and a processor are read from is sure to be there.

    Raises ModelError with what to do, or Cancelled.
    """
    if is_folder(name):
        if revision:
            raise ModelError(f"{name} is a folder and has no revisions; leave revision={revision} out.")
        return Files(name, _folder(Path(name)), "local")
    repo, revision = split(name, revision)
    folder = _cached(repo, revision)
    if folder is not None and not (lacks := _lacks(folder, weights)):
        return Files(name, folder, folder.name, repo)
    try:
        folder = fetch(repo, revision, progress, weights)
    except Unreachable as error:
        if folder is None:
            raise
        if lacks == (cache.WEIGHTS,):
            check_weights(Files(name, folder, folder.name, repo))
        raise ModelError(_half(name, lacks)) from error
    return Files(name, folder, folder.name, repo)


def _cached(repo: str, revision: str) -> Path | None:
    """The snapshot of a revision with a config at least; None where there is none."""
    try:
        folder = cache.snapshot(repo, revision)
        return folder if folder is not None and (folder / "config.json").exists() else None
    except ValueError:  # no name at all, as with a null byte
        return None


def _lacks(folder: Path, weights: bool) -> tuple[str, ...]:
    if weights:
        return cache.missing(folder)
    names = {path.name for path in folder.iterdir() if path.exists()}
    return tuple(what for what, files in PROCESSOR.items() if not names & files)


def _folder(folder: Path) -> Path:
    if not folder.is_dir():
        raise ModelError(f"There is no folder {folder}; check the path, or give a hub name such as org/name.")
    if not (folder / "config.json").is_file():
        raise ModelError(f"The folder {folder} has no config.json; point at the folder that holds the model's files.")
    return folder


def check_weights(files: Files) -> None:
    """Raises ModelError where the weights are not all there, naming what is missing."""
    if not (lacks := cache.missing(files.folder)):
        return
    if lacks == (cache.WEIGHTS,):
        if other := cache.other_weights([path.name for path in files.folder.iterdir()]):
            raise ModelError(only_other_weights(files.name, other))
        raise ModelError(f"The folder {files.folder} has no {cache.WEIGHTS}; weights are read from safetensors only.")
    raise ModelError(_half(files.name, lacks))


def _half(name: str, lacks: tuple[str, ...]) -> str:
    named = ", ".join(lacks[:3]) + (f" and {len(lacks) - 3} more" if len(lacks) > 3 else "")
    what = "loading it again with a network goes on where the download stopped"
    if is_folder(name):
        what = "copy them into the folder"
    return f"“{name}” is here in part only, {named} is missing; {what}."
