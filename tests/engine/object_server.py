"""A stand-in for object storage: the requests of S3 that the store makes, each condition checked with the put at once.

In front of it, or of any other server, a proxy makes faults: it is slow, answers with an error, cuts or tears answers.
"""

from __future__ import annotations

import hashlib
import http.client
import re
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape, unescape


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet: the second one would wait for a receipt
    disable_nagle_algorithm = True

    def log_message(self, *arguments: object) -> None:
        """Print nothing."""

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        """Send an answer."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", headers.pop("length", str(len(body))))
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else body)

    @property
    def body(self) -> bytes:
        """The content of the request."""
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))


class ObjectHandler(_Handler):
    """Answers for objects in memory: `server.objects` has (content, tag, time) by path."""

    def do_PUT(self) -> None:
        """Put an object, unless a condition forbids it; no other request comes between the two."""
        path, body = unquote(urlsplit(self.path).path), self.body
        tag = f'"{hashlib.md5(body).hexdigest()}"'
        with self.server.lock:
            stored = self.server.objects.get(path)
            wanted = self.headers.get("If-Match")
            if (self.headers.get("If-None-Match") and stored) or (wanted and (stored is None or stored[1] != wanted)):
                return self.answer(412, b"<Error><Code>PreconditionFailed</Code></Error>")
            self.server.objects[path] = body, tag, time.time() + self.server.clock
            self.server.puts.append(path)
        return self.answer(200, ETag=tag)

    def do_GET(self) -> None:
        """Answer with an object, a range of it, or the list of a bucket."""
        url = urlsplit(self.path)
        query = parse_qs(url.query)
        if "list-type" in query:
            return self.listed(url.path.strip("/"), query.get("prefix", [""])[0])
        with self.server.lock:
            stored = self.server.objects.get(unquote(url.path))
        if stored is None:
            return self.answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
        body, tag, put = stored
        headers = {"ETag": tag, "Last_Modified": formatdate(put, usegmt=True)}
        if (asked := self.headers.get("Range")) is None:
            return self.answer(200, body, **headers)
        first, last = (int(number) for number in asked.removeprefix("bytes=").split("-"))
        last = min(last, len(body) - 1)
        return self.answer(206, body[first : last + 1], Content_Range=f"bytes {first}-{last}/{len(body)}", **headers)

    def do_HEAD(self) -> None:
        """Answer as to GET, without the content."""
        self.do_GET()

    def listed(self, bucket: str, prefix: str) -> None:
        """Answer with the names below a prefix."""
        with self.server.lock:
            entries = sorted(self.server.objects.items())
        told = ""
        for path, (body, tag, put) in entries:
            if path.startswith(f"/{bucket}/{prefix}"):
                name, when = path.removeprefix(f"/{bucket}/"), time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(put))
                told += f"<Contents><Key>{escape(name)}</Key><Size>{len(body)}</Size><ETag>{escape(tag)}</ETag>"
                told += f"<LastModified>{when}</LastModified></Contents>"
        self.answer(200, f"<ListBucketResult><IsTruncated>false</IsTruncated>{told}</ListBucketResult>".encode())

    def do_POST(self) -> None:
        """Delete the objects that the request names."""
        bucket = urlsplit(self.path).path
        names = re.findall("<Key>.*?</Key>", self.body.decode())
        with self.server.lock:
            for name in names:
                self.server.objects.pop(f"{bucket}/{unescape(name[5:-6])}", None)
        told = "".join(f"<Deleted>{name}</Deleted>" for name in names)
        self.answer(200, f"<DeleteResult>{told}</DeleteResult>".encode())


class FaultHandler(_Handler):
    """Forwards requests to `server.upstream`; the next of `server.faults` decides what happens to each.

    slow: forwarded after a second. 500, 409, 503: answered so, and not forwarded. cut: half of the answer, then the end
    of the connection. torn: half of the answer, with a length that says that it is all. lost: forwarded, and the
    connection ended without an answer. A fault may say which requests it waits for: "PUT 409".
    """

    def forward(self) -> None:
        """Forward a request, or do what the next fault says."""
        body, fault = self.body, ""
        with self.server.lock:
            if self.server.faults:
                method, _, named = self.server.faults[0].rpartition(" ")
                if method in ("", self.command):
                    fault = named
                    self.server.faults.popleft()
                    self.server.made.append(f"{self.command} {fault}")
        if fault.isdigit():
            return self.answer(int(fault), b"<Error><Code>Fault</Code></Error>")
        if fault == "slow":
            time.sleep(1)
        upstream = http.client.HTTPConnection(*self.server.upstream, timeout=60)
        upstream.request(self.command, self.path, body, dict(self.headers))
        response = upstream.getresponse()
        answer = response.read()
        upstream.close()
        if fault == "lost":
            self.close_connection = True
            return None
        left_out = ("content-length", "transfer-encoding", "connection", "date", "server")
        headers = {
            name.replace("-", "_"): value for name, value in response.getheaders() if name.lower() not in left_out
        }
        whole = response.getheader("Content-Length") or str(len(answer))
        if fault in ("cut", "torn") and len(answer) > 1:
            answer = answer[: len(answer) // 2]
            self.close_connection = fault == "cut"
            return self.answer(response.status, answer, **headers, **({"length": whole} if fault == "cut" else {}))
        return self.answer(response.status, answer, **headers, **({"length": whole} if self.command == "HEAD" else {}))


for name in ("PUT", "GET", "HEAD", "POST"):
    setattr(FaultHandler, f"do_{name}", FaultHandler.forward)


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler], **state: object) -> Iterator[ThreadingHTTPServer]:
    """Serve requests in threads during the `with` block; yields the server, with its state."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.__dict__.update(state, lock=threading.RLock())
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def objects() -> Iterator[ThreadingHTTPServer]:
    """Serve objects in memory: their server, whose clock is `clock` seconds ahead, and which lists its puts."""
    with serving(ObjectHandler, objects={}, puts=[], clock=0.0) as server:
        yield server


@contextmanager
def faults(upstream: tuple[str, int]) -> Iterator[ThreadingHTTPServer]:
    """Serve a proxy in front of another server; its `faults` come next, and those that were made are in `made`."""
    with serving(FaultHandler, upstream=upstream, faults=deque(), made=[]) as server:
        yield server
