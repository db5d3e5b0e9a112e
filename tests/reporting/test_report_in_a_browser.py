"""What a real browser makes of the report, where there is Chromium and its driver."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from stories import make_outcome, on_orin, verified, with_intervals

from lightning_powertrain.reporting import write_run


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Any]:
    driver_path = shutil.which("chromedriver")
    if driver_path is None or shutil.which("chromium") is None:
        pytest.skip("needs chromium and chromium-driver")
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for name in ("headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-sync"):
        options.add_argument(f"--{name}")
    for name in ("disable-background-networking", "disable-component-update", f"user-data-dir={tmp_path / 'chromium'}"):
        options.add_argument(f"--{name}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver_path))
    yield driver
    driver.quit()


def requests(browser: Any) -> list[str]:
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return [each["params"]["request"]["url"] for each in events if each["method"] == "Network.requestWillBeSent"]


# Headings of the tables that are wider than the page and do not say that they scroll.
_SILENTLY_CUT = """
    const says = each => each?.matches(".scrolls") && getComputedStyle(each).display !== "none";
    const tables = [...document.querySelectorAll(".wide")].filter(each => each.scrollWidth > each.clientWidth);
    return tables.filter(each => !says(each.previousElementSibling)).map(each => each.querySelector("th").textContent)
"""
# Pixels from the lowest text of the plot to what stands below it.
_BELOW_THE_PLOT = """
    const ends = [...document.querySelectorAll("svg.pareto > text")].map(each => each.getBoundingClientRect().bottom);
    return document.querySelector("figcaption").getBoundingClientRect().top - Math.max(...ends)
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_a_browser_shows_it_whole_and_asks_for_nothing_else(
    browser: Any, width: int, scheme: str, tmp_path: Path
) -> None:
    write_run(with_intervals(on_orin(verified(make_outcome()))), tmp_path / "run")
    url = (tmp_path / "run" / "report.html").as_uri()
    size = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    for log in ("performance", "browser"):
        browser.get_log(log)  # What came before, Chromium's own first page, is no concern of the report.
    browser.get(url)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert [each for each in requests(browser) if not each.startswith("data:")] == [url]
    assert browser.get_log("browser") == []
    browser.execute_script("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert browser.execute_script(_SILENTLY_CUT) == []
    assert browser.execute_script(_BELOW_THE_PLOT) < 30, "no empty band under the plot"
    back = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert back == {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 27)"}[scheme]
    hint = "const p = document.querySelector('.point.chosen[tabindex]'); p.focus(); "
    hint += "return getComputedStyle(p.querySelector('.hint')).visibility"
    assert browser.execute_script(hint) == "visible"
    texts, points = (f"document.querySelectorAll('svg.pareto > {kind}')" for kind in ("text", ".point"))
    over = f"return [...{texts}].pop().compareDocumentPosition({points}[0]) & Node.DOCUMENT_POSITION_FOLLOWING"
    assert browser.execute_script(over), "hints lie over all text of the plot"
