"""A server that plays whatever a test needs: faulty answers, streams cut short, none at all."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

STREAM = "text/event-stream; charset=utf-8"


@dataclass
class Reply:
    """One HTTP answer."""

    body: str = ""
    status: int = 200
    kind: str = "application/json"
    missing: int = 0
    """Bytes that are promised and never sent."""
    pause: float = 0.0
    """Seconds before the body."""
    headers: dict[str, str] = field(default_factory=dict)
    drops: bool = False
    """Close the connection without a byte."""


@dataclass
class Played:
    """A server that answers as it is told, by path, the last reply again and again."""

    url: str
    replies: dict[str, list[Reply]] = field(default_factory=dict)
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    under_way: int = 0
    most: int = 0
    """The most requests that were under way at once."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    @contextlib.contextmanager
    def counted(self) -> Iterator[None]:
        """Count a request as under way."""
        with self.lock:
            self.under_way += 1
            self.most = max(self.most, self.under_way)
        yield
        with self.lock:
            self.under_way -= 1

    def reply(self, path: str) -> Reply:
        """Return the next reply under a path."""
        left = self.replies.get(path, [Reply('{"detail": "Not Found"}', 404)])
        return left.pop(0) if len(left) > 1 else left[0]


@contextlib.contextmanager
def playing() -> Iterator[Played]:
    """Run a server on loopback, which answers 404 until it is told what to say."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            reply = played.reply(self.path.removeprefix("/v1"))
            played.keys.append(self.headers["Authorization"])
            if reply.drops:
                self.close_connection = True
                return
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.kind)
            self.send_header("Content-Length", str(len(reply.body.encode()) + reply.missing))
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.end_headers()
            with played.counted():
                time.sleep(reply.pause)
            with contextlib.suppress(BrokenPipeError):
                self.wfile.write(reply.body.encode())

        def do_POST(self) -> None:
            played.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    played = Played(f"http://127.0.0.1:{http.server_port}/v1")
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield played
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


def listing(*names: str) -> Reply:
    """Return the answer that lists these models."""
    return Reply(json.dumps({"object": "list", "data": [{"id": name, "object": "model"} for name in names]}))


def streamed(
    *deltas: dict[str, Any],
    finish: str | None = "stop",
    usage: int | None = None,
    prompt: int = 1,
    cached: int | None = None,
    **fields: Any,
) -> Reply:
    """Return a stream of these deltas, an end and a usage, as far as given."""
    chunks: list[dict[str, Any]] = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    if finish:
        chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    if usage is not None:
        counts: dict[str, Any] = {"completion_tokens": usage, "prompt_tokens": prompt, "total_tokens": usage + prompt}
        details = {} if cached is None else {"prompt_tokens_details": {"cached_tokens": cached}}
        chunks.append({"choices": [], "usage": counts | details})
    return Reply("".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks), kind=STREAM, **fields)
