"""Draws docs/pictures from a study's report, in a headless Chromium.

python docs/draw.py [.tunescale/records/mini]
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tunescale_core.report.page import write_page
from tunescale_core.results.recorded import from_folder

PICTURES = Path(__file__).parent / "pictures"
NAMES = ("quality-latency", "rank-curves", "transfer", "latency-split")


def main() -> None:
    """Open the page, scroll to each plot, and keep what it shows."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".tunescale/records/mini")
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        page_file = Path(scratch) / "report.html"
        write_page(from_folder(folder), page_file)
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        page.goto(page_file.as_uri())
        for name in NAMES:
            plot = page.locator(f"#plot-{name}")
            plot.scroll_into_view_if_needed()
            page.wait_for_selector(f"#plot-{name} .main-svg")
            page.wait_for_timeout(500)
            plot.screenshot(path=PICTURES / f"{name}.png")
        browser.close()


if __name__ == "__main__":
    main()
