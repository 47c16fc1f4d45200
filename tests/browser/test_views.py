"""Every view of every page that has views, light on a laptop and dark on a phone: it ends, fits and can be read."""

from urllib.parse import urlencode

import pytest
from playwright.sync_api import expect

from vlmlens.ui import fusion, information, tokens

PAGES = {"fusion": fusion.VIEWS, "information": information.VIEWS, "tokens": tokens.VIEWS}
QUICK = {"probe-items": 1000, "probe-k": 4, "trust-n": 500, "allocation-total": 144}  # other views do not read them


@pytest.mark.parametrize(("name", "view"), [(name, view) for name, views in PAGES.items() for view in views])
@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (400, "dark")])
def test_a_view_ends_and_is_fine(app, new_page, fine, wait_idle, name, view, width, scheme):
    page = new_page(width, 900, scheme)
    page.goto(f"{app}/{name}?{urlencode({'view': view, **QUICK})}")
    page.wait_for_selector(".stMain [data-testid='stButtonGroup']", timeout=60_000)
    wait_idle(page)
    for stop in ("Cancel", "Stop"):  # what the view works out by itself
        expect(page.get_by_role("button", name=stop, exact=True)).to_have_count(0, timeout=90_000)
    wait_idle(page)
    fine(page)
