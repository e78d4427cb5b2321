"""A hub that holds one small model under two commits, refuses another, and knows of no third."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from collections.abc import Iterator, Sequence
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
    faults: ClassVar[list[int | str]]
    """What befalls the next requests for weights: a status, or `reset` or `flip` where they are sent."""

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
        headers = {"ETag": f'"{hashlib.sha256(content).hexdigest()}"', "X-Repo-Commit": commit}
        fault = self._fault(path, body=body)
        if isinstance(fault, int):
            return self._refuse(fault, "")
        if fault == "flip":
            content = content[:-1] + bytes([content[-1] ^ 1])
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        status = 206 if start else 200
        return self._send(content[start:], headers, body=body, status=status, cut=fault == "reset")

    def _fault(self, path: Path, *, body: bool) -> int | str | None:
        if path.suffix != ".safetensors" or not self.faults or (isinstance(self.faults[0], str) and not body):
            return None
        return self.faults.pop(0)

    def _refuse(self, status: int, code: str) -> None:
        self._send(b"{}", {"X-Error-Code": code, "X-Error-Message": code}, body=True, status=status)

    def _send(
        self, content: bytes, headers: dict[str, str], *, body: bool, status: int = 200, cut: bool = False
    ) -> None:
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(key, value)
        self.end_headers()
        if body and self.command != "HEAD":
            self.wfile.write(content[: len(content) // 2] if cut else content)
        if cut:
            self.close_connection = True
            self.connection.close()


@contextlib.contextmanager
def hub(model: Path, faults: Sequence[int | str] = ()) -> Iterator[str]:
    """Serve a model's folder as `HELD` over the hub's own interface, on loopback, with faults; its URL."""
    holding = type("Holding", (Answers,), {"model": model, "faults": list(faults)})
    server = ThreadingHTTPServer(("127.0.0.1", 0), holding)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
