"""The TypeScript client and the widget, on a page of another origin in a real browser."""

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from clients.made import FOLDER, NOTE, digest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import browser  # noqa: F401  (a fixture)
from tests.support.serving import listening, running_app, small

ROOT = Path(__file__).parents[2]
WIDGET = ROOT / "src" / "butaca" / "serve" / "page" / "static" / "widget.js"


class Shop(SimpleHTTPRequestHandler):
    """Serves the repository's files, and a page of its own: one that a test fulfils has no address."""

    page = ""

    def do_GET(self) -> None:
        if self.path != "/page":
            super().do_GET()
            return
        body = type(self).page.encode()
        self.send_response(200)
        self.send_header("content-type", "text/html; charset=utf-8")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def shop() -> Iterator[str]:
    """The address of somebody else's page."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Shop, directory=str(ROOT)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def service(shop: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service that lets the shop's pages ask it."""
    folder = tmp_path_factory.mktemp("widget")
    with running_app(folder, {"a": small(0)}, cors_origins=(shop,)) as app, listening(app) as url:
        yield url


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:  # noqa: F811
    context = browser.new_context()
    complaints: list[str] = []
    opened = context.new_page()
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    yield opened
    context.close()
    expected = "Failed to load resource"  # favicon.ico, and what a test asks for that is refused
    assert [c for c in complaints if expected not in c] == []


def opened(page: Page, shop: str, service: str, body: str = "") -> None:
    """The example page, with this service's address in the place of its own, or another body."""
    text = (ROOT / "examples" / "widget.html").read_text(encoding="utf-8")
    text = text.replace("http://127.0.0.1:8000", service).replace("Toy Story (1995)", "Film 0 (1950)")
    Shop.page = body or text
    page.goto(f"{shop}/page")


def test_the_example_page_shows_lists(page: Page, shop: str, service: str) -> None:
    opened(page, shop, service)
    liked = page.locator("#liked li")
    expect(liked).to_have_count(3)
    assert all(int(title.split()[1]) % 2 == 0 for title in liked.all_text_contents())  # as Film 0
    rows = page.locator("#user li")
    expect(rows).to_have_count(5)
    before = rows.all_text_contents()
    page.locator("#who").fill("u01")
    page.locator("#who").press("Enter")
    expect(rows.first).not_to_have_text(before[0])
    assert int(rows.first.text_content().split()[1]) % 2 == 1  # type: ignore[union-attr]  # odd users, odd films


def test_a_widget_tells_the_page_what_it_shows_and_what_fails(page: Page, shop: str, service: str) -> None:
    body = f'<body><script type="module" src="{service}/static/widget.js"></script>'
    opened(page, shop, service, body)
    shown = page.evaluate(
        """async () => {
          const heard = [];
          for (const name of ["list", "fail"]) {
            document.addEventListener(name, (event) => heard.push([name, event.detail]));
          }
          const ask = async (attributes) => {
            const list = document.createElement("butaca-list");
            for (const [name, value] of Object.entries(attributes)) list.setAttribute(name, value);
            const answered = new Promise((done) => {
              for (const name of ["list", "fail"]) list.addEventListener(name, done);
            });
            document.body.append(list);
            await answered;
            return list.innerHTML;
          };
          await customElements.whenDefined("butaca-list");
          return [await ask({ user: "u00", k: "2" }), await ask({ k: "0" }), heard];
        }"""
    )
    assert shown[0].count("<li>") == 2
    assert shown[1] == "<ol></ol>"
    assert [name for name, _ in shown[2]] == ["list", "fail"]
    assert shown[2][0][1]["request_id"]
    assert "k" in shown[2][1][1]["detail"]


def test_a_title_is_text_and_never_markup() -> None:
    text = WIDGET.read_text(encoding="utf-8")
    assert "textContent: title" in text
    assert "innerHTML" not in text
    assert len([line for line in text.splitlines() if line.strip() and not line.startswith("//")]) <= 21


CLIENT = """async ([lib, url]) => {
  const { Client, ServiceError } = await import(lib);
  const service = new Client(url);
  const answer = await service.recommend({ history: ["Film 0 (1950)"], k: 3 });
  const first = { user: "ts", item: answer.items[0].id, kind: "click", request_id: answer.request_id };
  const out = { source: answer.source, n: answer.items.length, first: await service.send([first]) };

  // An answer is lost after the service stored the event: it is sent again under its id.
  let lost = 0;
  const losing = async (...asked) => {
    const got = await fetch(...asked);
    if (lost++ === 0) throw new TypeError("lost");
    return got;
  };
  out.again = await new Client(url + "/", { fetch: losing }).send([{ user: "ts", item: "i02" }]);
  out.history = (await service.history("ts")).items.length;
  out.undone = (await service.undo("none", { user: "ts" })).removed;
  out.erased = (await service.erase("ts")).erased.events;

  let tries = 0;
  const busy = async () => {
    tries += 1;
    if (tries < 3) return new Response("", { status: 503 });
    return Response.json({ status: "live" });
  };
  out.live = (await new Client(url, { fetch: busy }).live()).status;
  out.tries = tries;
  try {
    const limited = async () => new Response("", { status: 429, headers: { "retry-after": "99" } });
    await new Client(url, { fetch: limited }).live();
  } catch (error) { out.limited = error.status; }
  try {
    await new Client(url, { fetch: async () => { throw new TypeError("gone"); }, patience: 0 }).live();
  } catch (error) { out.gone = [error.status, error.message]; }
  try { await service.item("no such film"); } catch (error) {
    out.missing = [error instanceof ServiceError, error.status, error.problem.rule.length > 0];
  }
  out.key = await new Client(url, {
    key: "word", fetch: async (_, asked) => new Response(asked.headers.authorization),
  }).metrics();
  out.items = (await service.items("film 1", { limit: 2 })).items.length;
  return out;
}"""


def test_the_client_does_in_a_browser_what_python_does(page: Page, shop: str, service: str) -> None:
    opened(page, shop, service, "<body>")
    found = page.evaluate(CLIENT, [f"{shop}/clients/typescript/lib/client.js", service])
    gone = found.pop("gone")
    assert gone[0] == 0
    assert "gone" in gone[1]
    assert found == {
        "source": "history",
        "n": 3,
        "first": {"accepted": 1, "known": 0},
        "again": {"accepted": 0, "known": 1},
        "history": 2,
        "undone": 0,
        "erased": 2,
        "live": "live",
        "tries": 3,
        "limited": 429,
        "missing": [True, 404, True],
        "key": "Bearer word",
        "items": 2,
    }


def test_what_is_kept_was_compiled_from_these_sources() -> None:
    assert digest() in NOTE.read_text(encoding="utf-8"), "run: make clients"


def test_the_package_has_no_dependencies_and_the_version_of_butaca() -> None:
    import tomllib

    package = json.loads((FOLDER / "package.json").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert "dependencies" not in package
    assert package["version"] == project["version"]
    assert package["license"] == project["license"]
