"""A hub that holds one small model under two commits, refuses another, and knows of no third."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import unquote, urlsplit

HELD, GATED = "someone/small", "someone/gated"
NEWEST, PINNED = "a" * 40, "b" * 40
COMMITS = {"main": NEWEST, NEWEST: NEWEST, "v1": PINNED, PINNED: PINNED}
SHOWN = ("config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")


class Answers(BaseHTTPRequestHandler):
    """Models' metadata and files."""

    model: ClassVar[Path]

    def do_GET(self) -> None:
        """Answer with a body."""
        self._answer(body=True)

    def do_HEAD(self) -> None:
        """Answer without."""
        self._answer(body=False)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""

    def _answer(self, *, body: bool) -> None:
        parts = unquote(urlsplit(self.path).path).strip("/").split("/")
        api = parts[:2] == ["api", "models"]
        rest = parts[2:] if api else parts
        name, verb, tail = "/".join(rest[:2]), rest[2] if len(rest) > 2 else "", rest[3:]
        if name == GATED:
            self._refuse(403, "GatedRepo")
        elif name != HELD:
            self._refuse(404, "RepoNotFound")
        elif tail and tail[0] not in COMMITS:
            self._refuse(404, "RevisionNotFound")
        elif api:
            self._send(self._described(verb, COMMITS[tail[0]] if tail else NEWEST), {}, body=body)
        else:
            self._file(self.model / tail[-1], COMMITS[tail[0]], body=body)

    def _described(self, verb: str, commit: str) -> bytes:
        if verb == "tree":
            rows = [
                {"type": "file", "path": one, "oid": one, "size": (self.model / one).stat().st_size} for one in SHOWN
            ]
            return json.dumps(rows).encode()
        siblings = [{"rfilename": one} for one in SHOWN]
        return json.dumps({"id": HELD, "modelId": HELD, "sha": commit, "siblings": siblings}).encode()

    def _file(self, path: Path, commit: str, *, body: bool) -> None:
        content = path.read_bytes()
        etag = hashlib.sha256(content).hexdigest()
        self._send(content, {"ETag": f'"{etag}"', "X-Repo-Commit": commit}, body=body)

    def _refuse(self, status: int, code: str) -> None:
        self._send(b"{}", {"X-Error-Code": code, "X-Error-Message": code}, body=True, status=status)

    def _send(self, content: bytes, headers: dict[str, str], *, body: bool, status: int = 200) -> None:
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(key, value)
        self.end_headers()
        if body and self.command != "HEAD":
            self.wfile.write(content)


@contextlib.contextmanager
def hub(model: Path) -> Iterator[str]:
    """Serve a model's folder as `HELD` over the hub's own interface, on loopback; its URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Holding", (Answers,), {"model": model}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
