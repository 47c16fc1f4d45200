"""A hub on this machine: speaks what huggingface_hub asks of huggingface.co, from a folder, and remembers requests."""

import hashlib
import json
import shutil
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit


def commit_of(folder: Path) -> str:
    """What names the content of a folder."""
    text = "".join(f"{path.name}{hashlib.sha256(path.read_bytes()).hexdigest()}" for path in sorted(folder.iterdir()))
    return hashlib.sha1(text.encode()).hexdigest()


def put(folder: Path, home: Path, branch: str = "main", repo: str = "org/tiny-llava") -> Path:
    """A folder into the cache, as the hub's own client would lay it out. Returns the snapshot."""
    storage, commit = home / ("models--" + repo.replace("/", "--")), commit_of(folder)
    target = storage / "snapshots" / commit
    for path in (storage / "refs", storage / "blobs", target):
        path.mkdir(parents=True, exist_ok=True)
    (storage / "refs" / branch).write_text(commit)
    for file in folder.iterdir():
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        shutil.copy(file, storage / "blobs" / digest)
        (target / file.name).symlink_to(f"../../blobs/{digest}")
    return target


@dataclass
class Hub:
    """Repositories by name, each a folder by branch. `requests` are (method, path, Range header)."""

    repos: dict[str, dict[str, Path]] = field(default_factory=dict)
    gated: set[str] = field(default_factory=set)
    broken: dict[str, int] = field(default_factory=dict)  # path -> status
    cut: int | None = None  # the next file longer than this breaks off there, once
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)

    def start(self) -> str:
        """Returns the address."""
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self):
                hub._answer(self, body=False)

            def do_GET(self):
                hub._answer(self, body=True)

            def log_message(self, *_): ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self.server.server_port}"

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def of(self, repo: str, revision: str) -> tuple[str, Path] | None:
        """Commit and folder of a branch or a commit."""
        for branch, folder in self.repos[repo].items():
            if revision in (branch, commit := commit_of(folder)):
                return commit, folder
        return None

    def _answer(self, request: BaseHTTPRequestHandler, body: bool) -> None:
        path = urlsplit(request.path).path
        self.requests.append((request.command, path, request.headers.get("Range")))
        parts = [unquote(part) for part in path.strip("/").split("/")]
        api = parts[:2] == ["api", "models"]
        repo = "/".join(parts[2:4] if api else parts[:2])
        revision = parts[5] if api else parts[3]
        if path in self.broken:
            return self._refuse(request, self.broken[path])
        if repo not in self.repos:
            return self._refuse(request, 401, "RepoNotFound")
        if repo in self.gated and not api:
            return self._refuse(request, 401, "GatedRepo")
        if (found := self.of(repo, revision)) is None:
            return self._refuse(request, 404, "RevisionNotFound")
        commit, folder = found
        if api:
            files = [self._sibling(file) for file in sorted(folder.iterdir())]
            return self._send(request, 200, json.dumps({"id": repo, "sha": commit, "siblings": files}).encode(), body)
        file = folder / parts[4]
        if not file.is_file():
            return self._refuse(request, 404, "EntryNotFound")
        content, start = file.read_bytes(), 0
        if asked := request.headers.get("Range"):
            start = int(asked.removeprefix("bytes=").rstrip("-"))
        headers = {"X-Repo-Commit": commit, "ETag": f'"{hashlib.sha256(content).hexdigest()}"'}
        if asked:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self._send(request, 206 if asked else 200, content[start:], body, headers)

    def _sibling(self, file: Path) -> dict:
        size, large = file.stat().st_size, file.suffix == ".safetensors"
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        lfs = {"lfs": {"sha256": digest, "size": size, "pointerSize": 130}} if large else {}
        return {"rfilename": file.name, "size": size, "blobId": digest[:40], **lfs}

    def _refuse(self, request: BaseHTTPRequestHandler, status: int, code: str = "") -> None:
        self._send(request, status, b"", False, {"X-Error-Code": code, "X-Error-Message": code})

    def _send(self, request, status: int, content: bytes, body: bool, headers: dict[str, str] | None = None) -> None:
        request.send_response(status)
        for name, value in (headers or {}).items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        if not body:
            return
        if self.cut is not None and len(content) > self.cut:
            request.wfile.write(content[: self.cut])
            self.cut, request.close_connection = None, True
            return
        request.wfile.write(content)
