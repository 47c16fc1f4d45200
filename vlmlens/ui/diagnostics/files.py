"""Files that a person brings: a table of questions with its pictures, or a zip of them, kept while the server runs."""

import hashlib
import io
import shutil
import tempfile
import threading
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import streamlit as st

from vlmlens.diagnostics import ProbeError
from vlmlens.diagnostics.probe_file import NAMES

TABLES = ("csv", "jsonl", "ndjson")
PICTURES = ("png", "jpg", "jpeg", "gif", "bmp", "webp", "tif", "tiff")
MOST_FILES = 5000
MOST_BYTES = 1 << 29  # unpacked
MOST_SETS = 8

_lock = threading.Lock()


@st.cache_resource(show_spinner=False)
def _home() -> "tempfile.TemporaryDirectory[str]":
    """One folder a server, gone with it."""
    return tempfile.TemporaryDirectory(prefix="vlmlens-probe-")


def keep(files: Sequence[tuple[str, bytes]]) -> str:
    """Write uploaded files, zips unpacked, into a folder of their own. Returns its name: a digest of what they hold.

    Raises:
        ProbeError: a broken zip, too much in it, a name that leaves the folder, no table of questions.
    """
    digest = hashlib.sha256()
    unpacked: dict[str, bytes] = {}
    for name, data in sorted(files):
        digest.update(f"{name} {len(data)} ".encode() + data)
        unpacked |= dict(_unpacked(name, data)) if name.lower().endswith(".zip") else {_inside(name, name): data}
    if not any(name.rpartition(".")[2].lower() in TABLES for name in unpacked):
        raise ProbeError("Among these files is no CSV or JSONL with the questions; add it to the pictures.")
    home, found = Path(_home().name), digest.hexdigest()
    with _lock:
        if (home / found).exists():
            return found
        begun = home / f"{found}.part"
        shutil.rmtree(begun, ignore_errors=True)
        for name, data in unpacked.items():
            path = begun / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        begun.rename(home / found)
        for old in sorted(home.iterdir(), key=lambda path: path.stat().st_mtime)[:-MOST_SETS]:
            shutil.rmtree(old, ignore_errors=True)
    return found


def table(digest: str) -> Path:
    """The table of questions among what was uploaded.

    Raises:
        ProbeError: the files are no longer here, or hold several tables of which none has a name that tells.
    """
    folder = Path(_home().name) / digest
    if not digest.isalnum() or not folder.is_dir():
        raise ProbeError(
            "The files of this link are not on this machine: of uploaded files a link carries only the fingerprint. "
            "Upload them again."
        )
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower().lstrip(".") in TABLES)
    named = [path for path in found if path.name in NAMES] or found
    if len(named) > 1:
        raise ProbeError(
            f"Several files could hold the questions: {', '.join(path.name for path in named[:4])}; keep one."
        )
    return named[0]


def _unpacked(zip_name: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    """Tables and pictures of a zip, by name; what else it holds is left out."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            infos = [info for info in packed.infolist() if not info.is_dir() and "__MACOSX" not in info.filename]
            if len(infos) > MOST_FILES or sum(info.file_size for info in infos) > MOST_BYTES:
                raise ProbeError(
                    f"“{zip_name}” holds more than {MOST_FILES} files or {MOST_BYTES >> 20} MiB; unpack it and name "
                    "its folder instead."
                )
            for info in infos:
                name = _inside(info.filename, zip_name)
                if name.rpartition(".")[2].lower() in (*TABLES, *PICTURES):
                    yield name, packed.read(info)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError) as error:
        raise ProbeError(f"“{zip_name}” cannot be unpacked; pack it anew, without a password.") from error


def _inside(name: str, of: str) -> str:
    """A file's name as a path below a folder."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in name or "\0" in name or not path.parts:
        raise ProbeError(f"“{of}” holds “{name[:60]}”, which would lie outside its folder; nothing of it was read.")
    return str(path)
