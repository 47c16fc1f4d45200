"""The Cost view as a person uses it: another size is another cost, and the link restores it."""

from playwright.sync_api import Page, expect


def opened(page: Page, url: str, **link: str) -> None:
    query = "&".join(f"{key}={value}" for key, value in {"view": "Cost", **link}.items())
    page.goto(f"{url}/tokens?{query}")
    page.wait_for_selector(".stMain [data-testid='stVegaLiteChart']", timeout=60_000)


def test_a_size_decides_the_tokens_and_the_link_keeps_it(app, page, new_page, wait_idle):
    opened(page, app, **{"cost-model": "Qwen2-VL 2B"})
    wait_idle(page)
    width = page.get_by_label("Picture width, px")
    width.fill("448")
    width.press("Enter")
    expect(page.get_by_text("of 448 x 768 px").first).to_be_visible(timeout=30_000)
    wait_idle(page)
    assert "cost-width=448" in page.url
    again = new_page()
    again.goto(page.url)
    expect(again.get_by_text("of 448 x 768 px").first).to_be_visible(timeout=60_000)
    expect(again.get_by_text("Qwen2-VL 2B makes").first).to_be_visible()
