"""What a connection may cost before a key is asked for: heads, lines, chunks, requests ahead, connections."""

from __future__ import annotations

import contextlib
import socket
import statistics
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from butaca.serve import wire
from tests.support.serving import serve, small

HEAD = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = b"POST /v1/recommend HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
CHUNKED += b"Transfer-Encoding: chunked\r\n\r\n"

#: What begins, and what then comes again and again.
ENDLESS = {
    "one header": (HEAD + b"X-A: ", b"a" * 65536),
    "a header's name": (HEAD, b"a" * 65536),
    "headers": (HEAD, b"X-A: b\r\n" * 8192),
    "a request line": (b"GET /", b"a" * 65536),
    "empty lines": (b"", b"\r\n" * 32768),
    "a chunk's extension": (CHUNKED + b"1;a=", b"a" * 65536),
    "one trailer": (CHUNKED + b"0\r\nX-A: ", b"a" * 65536),
    "trailers": (CHUNKED + b"0\r\n", b"X-A: b\r\n" * 8192),
    "extensions": (CHUNKED, b"1;" + b"a" * 16384 + b"\r\n \r\n"),
}

#: Whole requests that are too large, and what they are answered.
LARGE = {
    "a header": (HEAD + b"X-A: " + b"a" * 40_000 + b"\r\n\r\n", 431),
    "headers": (HEAD + b"X-A: b\r\n" * 120 + b"\r\n", 431),
    "headers in all": (HEAD + (b"X-A: " + b"a" * 1000 + b"\r\n") * 50 + b"\r\n", 431),
    "a request line": (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wire")
    small().save(folder / "model")
    with serve("model", "--max-connections", "300", cwd=folder) as running:
        yield running


def connected(server):
    host, port = server.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=10)


def talk(server, content):
    """What is answered to bytes, until the connection is closed or silent."""
    with connected(server) as link:
        got = b""
        with contextlib.suppress(OSError):
            link.sendall(content)
        with contextlib.suppress(OSError):
            link.settimeout(2)
            while part := link.recv(65536):
                got += part
        return got


def sent_before_the_end(server, begin, again, most=64 << 20):
    """How many bytes of something endless are taken until the connection is closed; and what was answered."""
    with connected(server) as link:
        sent = 0
        with contextlib.suppress(OSError):
            link.sendall(begin)
            while sent < most:
                link.sendall(again)
                sent += len(again)
        got = b""
        with contextlib.suppress(OSError):
            got = link.recv(65536)
        return sent, got


def memory(server):
    status = Path(f"/proc/{server.process.pid}/status").read_text(encoding="utf-8")
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


@pytest.mark.parametrize("what", ENDLESS)
def test_what_has_no_end_is_cut_off(server, what):
    sent, got = sent_before_the_end(server, *ENDLESS[what])
    assert sent < 16 << 20, "it is still read"  # the sockets' own buffers take a few MB
    assert not got or got.split()[1] in {b"400", b"413", b"414", b"431"}
    assert httpx.get(f"{server.url}/health/live").status_code == 200


@pytest.mark.parametrize("what", LARGE)
def test_what_is_too_large_is_answered_in_words(server, what):
    content, status = LARGE[what]
    head, _, body = talk(server, content).partition(b"\r\n\r\n")
    assert head.split()[1] == str(status).encode()
    assert b"application/problem+json" in head
    assert b'"rule"' in body


def test_what_is_large_enough_is_answered(server):
    line = b"GET /v1/items?query=" + b"a" * 150 + b" HTTP/1.1\r\nHost: localhost\r\n"
    content = line + (b"X-A: " + b"a" * 300 + b"\r\n") * 90 + b"Connection: close\r\n\r\n"
    assert talk(server, content).startswith(b"HTTP/1.1 200")
    chunks = b"".join(b"1\r\n" + bytes([c]) + b"\r\n" for c in b'{"k": 1}') + b"0\r\nX-A: b\r\n\r\n"
    assert talk(server, CHUNKED + chunks).startswith(b"HTTP/1.1 200")


def test_requests_ahead_of_their_answers_are_few(server):
    one = HEAD + b"\r\n"
    assert talk(server, one * wire.AHEAD_MAX).count(b"HTTP/1.1 200") == wire.AHEAD_MAX
    assert talk(server, one * 10_000).count(b"HTTP/1.1 200") <= wire.AHEAD_MAX


def test_a_body_that_was_answered_unread_does_not_go_on(server):
    begin = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    sent, _ = sent_before_the_end(server, begin, b"10000\r\n" + b"a" * 65536 + b"\r\n")
    assert sent < 16 << 20


@pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")
def test_a_hundred_floods_hold_little_and_hold_nobody_up(server):
    before, stop = memory(server), threading.Event()
    kinds = [ENDLESS["one header"], ENDLESS["headers"], ENDLESS["a chunk's extension"]]

    def flood(n):
        while not stop.is_set():
            sent_before_the_end(server, *kinds[n % 3])

    def stall():
        """Begins heads, and leaves them unfinished."""
        with contextlib.ExitStack() as links:
            for _ in range(90):
                link = links.enter_context(connected(server))
                link.sendall(HEAD + b"X-A: " + b"a" * 30_000)
            stop.wait(30)

    threads = [threading.Thread(target=flood, args=(n,)) for n in range(10)]
    threads.append(threading.Thread(target=stall))
    for thread in threads:
        thread.start()
    times, most = [], before
    try:
        with httpx.Client(base_url=server.url, timeout=30) as http:
            for _ in range(60):
                started = time.perf_counter()
                assert http.post("/v1/recommend", json={"k": 3}).status_code == 200
                times.append(time.perf_counter() - started)
                most = max(most, memory(server))
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert most - before < 60
    assert statistics.median(times) < 0.25


def test_who_is_silent_makes_room_for_who_asks(tmp_path):
    small().save(tmp_path / "model")
    with serve("model", "--max-connections", "10", cwd=tmp_path) as server, contextlib.ExitStack() as links:
        silent = [links.enter_context(connected(server)) for _ in range(60)]
        for _ in range(3):
            assert httpx.post(f"{server.url}/v1/recommend", json={"k": 1}).status_code == 200
        time.sleep(0.2)
        gone = 0
        for link in silent:
            link.settimeout(0.05)
            with contextlib.suppress(TimeoutError):
                try:
                    gone += link.recv(1) == b""
                except ConnectionError:
                    gone += 1
        assert gone >= 50
        told = httpx.get(f"{server.url}/metrics").text
        assert 'butaca_refused_total{reason="connections"}' in told
