"""The Allocation view as a person uses it: a slider moves the budgets, and the link keeps them."""

from playwright.sync_api import Page, expect


def opened(page: Page, url: str, **link: str) -> None:
    query = "&".join(f"{key}={value}" for key, value in {"view": "Allocation", **link}.items())
    page.goto(f"{url}/tokens?{query}")
    expect(page.get_by_text("Uniform, same total")).to_be_visible(timeout=60_000)


def test_a_slider_moves_the_budgets_and_the_link_keeps_them(app, page, new_page, wait_idle):
    opened(page, app)
    wait_idle(page)
    assert "9 to 9 tokens" not in page.inner_text(".stMain")
    page.get_by_role("slider", name="compress - particularize").focus()
    page.keyboard.press("Home")  # all alike
    expect(page.get_by_text("9 to 9 tokens, 324 in all")).to_be_visible(timeout=20_000)
    expect(page.get_by_text("All patches are alike, so allotted is uniform")).to_be_visible()
    assert "allocation-particularize=-1" in page.url
    again = new_page()
    again.goto(page.url)
    expect(again.get_by_text("9 to 9 tokens, 324 in all")).to_be_visible(timeout=60_000)
