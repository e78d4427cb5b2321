"""The page in a real headless Chromium: it sorts, filters and opens examples, by mouse and keyboard, offline."""

from __future__ import annotations

import contextlib
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

from tests.making import line
from tests.making import record as made
from tunescale_core.records.files import write
from tunescale_core.report.page import write_page
from tunescale_core.results.published import reference
from tunescale_core.results.recorded import from_folder
from tunescale_core.tasks import Answer

pytestmark = pytest.mark.browser

HOSTILE = "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'></pre></script>{{ 7 * 7 }}"
VECTORS = (
    HOSTILE,
    "<svg onload=window.hacked=1>",
    '" onmouseover="window.hacked=1" x="',
    "javascript:window.hacked=1",
    "<iframe srcdoc='<script>parent.hacked=1</script>'></iframe>",
    "<a href='javascript:window.hacked=1'>here</a><base href='http://127.0.0.1:9/'>",
    "<!--<script>window.hacked = 1<!--</script>",
    "]]><style>body{display:none}</style><textarea>",
    '{"__proto__": {"hacked": 1}}\u2028window.hacked = 1',
    "\u202egnihton syas\u2066 \x1b[31mred\x07",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=window.hacked=1>",
)
"""What a model may say, and what names of examples may be, to reach for the page."""
SLIPPED_IN = (
    "<script>window.hacked = 1</script><img src='http://127.0.0.1:PORT/x.png' onerror='window.hacked = 1'>"
    "<script src='http://127.0.0.1:PORT/x.js'></script><iframe src='http://127.0.0.1:PORT/'></iframe>"
)
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium: the system's, or Playwright's own."""
    found = next(
        (path for name in ("chromium", "google-chrome", "chromium-browser") if (path := shutil.which(name))), None
    )
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page over a small study whose models say hostile things."""
    folder = tmp_path_factory.mktemp("records")
    rights = {
        ("base", None): 12,
        ("full", "arc"): 20,
        ("lora-r4", "arc"): 16,
        ("lora-r16", "arc"): 18,
        ("lora-r64", "arc"): 17,
    }
    for place, ((method, trained), right) in enumerate(rights.items()):
        for task in ("arc", "squad_v2"):
            write(made(method, trained, task, _lines(task, right, place), model="small", seed=None), folder)
    for task in ("arc", "squad_v2"):
        write(made("base", None, task, _lines(task, 22, 9), model="large"), folder)
    page = folder / "report.html"
    write_page(from_folder(folder), page)
    return page


def _lines(task: str, right: int, slow: int) -> list[object]:
    gold = "A" if task == "arc" else "mill"
    return [
        line(
            Answer((gold,), gold if place < right else "B"),
            task,
            place,
            prompt=f"Question {place}? {HOSTILE}",
            text=f"<think>{HOSTILE} hm, well, so</think>\\boxed{{{gold}}}",
            reasoning_tokens=5,
            tokens=6 + slow,
            seconds=0.1 * (1 + slow) + 0.001 * place,
        )
        for place in range(24)
    ]


@pytest.fixture
def opened(browser: Browser, report: Path) -> Iterator[tuple[Page, list[str]]]:
    """The page in a new window, and what went wrong: console errors, exceptions, requests."""
    yield from _open(browser, report, width=1280, height=900)


def _open(browser: Browser, report: Path, width: int, height: int) -> Iterator[tuple[Page, list[str]]]:
    page = browser.new_page(viewport={"width": width, "height": height})
    faults: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            faults.append(f"console: {message.text}")

    def asked(request: Request) -> None:
        if not request.url.startswith(("file:", "data:", "blob:")):
            faults.append(f"request: {request.url}")

    page.on("console", heard)
    page.on("pageerror", lambda error: faults.append(f"exception: {error}"))
    page.on("request", asked)
    page.goto(report.as_uri())
    yield page, faults
    page.close()


def column(page: Page, table: str, place: int) -> list[str]:
    """Return a column's visible texts."""
    cells = page.locator(f"#{table} tbody tr:not([hidden]) td:nth-child({place})")
    return [text.strip() for text in cells.all_inner_texts()]


def test_a_click_sorts_and_another_turns_it_round(opened: tuple[Page, list[str]]) -> None:
    """A head sorts its table by value both ways, missing values last, and says so to assistive technology."""
    page, faults = opened
    head = page.locator("#table1 thead th").nth(3)
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    up = [float(text) for text in column(page, "table1", 4) if text != "–"]
    assert up == sorted(up)
    head.locator("button").click()
    down = [float(text) for text in column(page, "table1", 4) if text != "–"]
    assert (down, head.get_attribute("aria-sort")) == (sorted(up, reverse=True), "descending")
    assert faults == []


def test_filters_narrow_tables_plots_and_examples(opened: tuple[Page, list[str]]) -> None:
    """A method leaves its rows, points and answers; a task leaves its columns; reset brings all back."""
    page, faults = opened
    page.locator("#plots").scroll_into_view_if_needed()
    page.wait_for_selector("#plot-quality-latency[data-drawn]")
    everything = len(column(page, "table1", 3))
    points = "document.getElementById('plot-quality-latency').data.reduce((n, t) => n + (t.customdata || []).length, 0)"
    all_points = page.evaluate(points)
    page.select_option("select[name=method]", "full")
    assert set(column(page, "table1", 3)) == {"full", "trivial"}
    assert page.evaluate(points) == 2 < all_points
    assert page.locator(".answer").count() == 1
    page.select_option("select[name=task]", "squad_v2")
    assert page.locator("#table1 thead th:visible", has_text="arc").count() == 0
    assert page.locator("#example-task option:checked").inner_text() == "squad_v2"
    page.click("button[type=reset]")
    expect(page.locator("#table1 tbody tr:not([hidden])")).to_have_count(everything)
    assert page.evaluate(points) == all_points
    assert faults == []


def test_an_example_opens_with_answers_side_by_side(opened: tuple[Page, list[str]]) -> None:
    """An example shows prompt, gold, and each candidate's answer, tokens, seconds and score, reasoning folded."""
    page, faults = opened
    page.locator("#example-list button").nth(3).click()
    article = page.locator("#example")
    assert "Question 3?" in article.inner_text()
    assert "Right: A" in article.inner_text()
    cards = article.locator(".answer")
    assert cards.count() == 6
    assert "accuracy 1.00 · 6 tokens · 0.1030 s · stop" in article.inner_text()
    thought = cards.first.locator("details", has_text="Reasoning")
    assert not thought.locator("pre").is_visible()
    thought.locator("summary").click()
    assert HOSTILE in thought.locator("pre").inner_text()
    assert faults == []


def test_what_models_say_is_never_markup(opened: tuple[Page, list[str]]) -> None:
    """Hostile prompts and answers are shown as text: no script of theirs runs, no element of theirs exists."""
    page, faults = opened
    for _ in range(3):
        page.click("#next")
    assert page.evaluate("window.hacked") is None
    assert page.locator("img").count() == 0
    assert "{{ 7 * 7 }}" in page.locator("#example").inner_text()
    assert faults == []


def test_no_text_reaches_for_the_page(browser: Browser, tmp_path: Path) -> None:
    """Whatever prompts, answers, right answers and names of examples say is shown as it stands, and does nothing."""
    lines = [
        line(Answer((one,), one), "squad_v2", place, prompt=one, text=one, example=f"{place} {one}")
        for place, one in enumerate(VECTORS)
    ]
    write(made("base", task="squad_v2", lines=lines), tmp_path)
    write_page(from_folder(tmp_path), tmp_path / "page.html")
    for page, faults in _open(browser, tmp_path / "page.html", width=1280, height=900):
        for place, one in enumerate(VECTORS):
            page.locator("#example-list button").nth(place).click()
            shown = page.locator("#example").text_content() or ""
            assert shown.count(one) >= 3, f"{one!r} is not shown as it stands"
            page.locator("#example").hover()
        assert page.evaluate("window.hacked || ({}).hacked") is None
        assert page.locator("#examples").is_visible()
        assert page.locator("img, iframe, svg[onload], base, mglyph").count() == 0
        assert faults == []


def test_what_was_slipped_into_a_page_is_not_run(browser: Browser, report: Path, tmp_path: Path) -> None:
    """Should markup get into a page, its policy has the browser run no script of it, nor ask anybody for anything."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        markup = SLIPPED_IN.replace("PORT", str(listening.getsockname()[1]))
        tampered = tmp_path / "tampered.html"
        tampered.write_text(report.read_text(encoding="utf-8").replace("<main", f"{markup}<main", 1), encoding="utf-8")
        for page, faults in _open(browser, tampered, width=1280, height=900):
            assert page.locator("script").count() == 5, "it was slipped in"
            assert page.evaluate("window.hacked") is None
            assert page.locator("#example-list button").count() > 0, "the page's own script ran"
            assert sum("Content Security Policy" in fault for fault in faults) >= 4
        assert not _received(listening)


def _received(listening: socket.socket) -> bytes:
    """Return what clients that came have sent; Chromium may open a connection to a frame's host before it refuses."""
    listening.settimeout(0.5)
    sent = b""
    with contextlib.suppress(TimeoutError):
        while True:
            client, _ = listening.accept()
            client.settimeout(0.5)
            with client, contextlib.suppress(TimeoutError):
                sent += client.recv(1000)
    return sent


def test_every_plot_is_drawn(opened: tuple[Page, list[str]]) -> None:
    """Scrolled to, each of the four plots draws itself."""
    page, faults = opened
    names = page.eval_on_selector_all(".plot", "plots => plots.map(plot => plot.id)")
    assert names == ["plot-quality-latency", "plot-rank-curves", "plot-transfer", "plot-latency-split"]
    for name in names:
        page.locator(f"#{name}").scroll_into_view_if_needed()
        page.wait_for_selector(f"#{name} .main-svg")
    assert faults == []


def test_a_narrow_screen_has_no_sideways_scroll(browser: Browser, report: Path) -> None:
    """On a telephone's width the page itself does not scroll sideways: tables and plots do within themselves."""
    for page, faults in _open(browser, report, width=360, height=700):
        for name in ("findings", "plots", "tables", "examples"):
            page.locator(f"#{name}").scroll_into_view_if_needed()
        page.wait_for_selector("#plot-quality-latency[data-drawn]")
        page.locator("#example-list button").nth(1).click()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        assert faults == []


def test_the_keyboard_reaches_everything(opened: tuple[Page, list[str]]) -> None:
    """Without a mouse: skip link, question, sorting, filter and example all answer to Tab, Enter, Space and arrows."""
    page, faults = opened
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the report"
    page.locator(".question summary").first.focus()
    page.keyboard.press("Enter")
    assert page.locator(".question").first.get_attribute("open") is not None
    head = page.locator("#table1 thead th").nth(3)
    head.locator("button").focus()
    page.keyboard.press("Space")
    assert head.get_attribute("aria-sort") == "ascending"
    page.locator("select[name=method]").focus()
    page.keyboard.type("full")
    assert set(column(page, "table1", 3)) == {"full", "trivial"}
    page.locator("#example-list button").nth(2).focus()
    page.keyboard.press("Enter")
    assert "Question 2?" in page.locator("#example").inner_text()
    page.locator("#next").focus()
    page.keyboard.press("Enter")
    assert "Question 3?" in page.locator("#example").inner_text()
    assert faults == []


def test_a_references_findings_stand_beside(browser: Browser, report: Path, tmp_path: Path) -> None:
    """With a reference each part has the reference's value for the same part in a last column."""
    write_page(from_folder(report.parent), tmp_path / "beside.html", reference=reference("paper"))
    for page, faults in _open(browser, tmp_path / "beside.html", width=1280, height=900):
        page.locator(".question summary").first.click()
        row = page.locator(
            ".question tbody tr", has_text="small-full-on-arc has a better F1 than small-base for arc"
        ).first
        assert row.locator("td").last.inner_text().split()[0] == "-0.5474"
        assert faults == []


def test_a_published_table_has_a_page_without_examples(browser: Browser, tmp_path: Path) -> None:
    """The paper's own table makes a page with findings, tables and plots, and no examples to browse."""
    write_page(reference("paper"), tmp_path / "paper.html")
    for page, faults in _open(browser, tmp_path / "paper.html", width=1280, height=900):
        assert page.locator("#examples").count() == 0
        assert page.locator(".question").count() == 14
        page.locator("#plot-quality-latency").scroll_into_view_if_needed()
        page.wait_for_selector("#plot-quality-latency .main-svg")
        assert faults == []
