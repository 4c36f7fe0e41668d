"""Every panel, in light and dark, by the rules of axe-core: contrasts, names, roles."""

from axe_playwright_python.sync_playwright import Axe

from . import visitor

COLOUR = "getComputedStyle(document.querySelector('.stApp')).colorScheme"


def test_no_panel_has_a_serious_finding(page):
    visitor.draw(page, visitor.DIGITS[7])
    visitor.expect_answer(page, 7)
    for panel in visitor.PANELS:
        visitor.open_panel(page, panel)
        if panel == "Stress":
            page.get_by_text(visitor.GAME).click()
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.wait_for_function(f"{COLOUR} === '{scheme}'")
            response = Axe().run(page).response
            assert response["passes"]
            assert [
                (panel, scheme, finding["id"], node["html"], [each["message"] for each in node["any"]])
                for finding in response["violations"]
                if finding["impact"] in ("serious", "critical")
                for node in finding["nodes"]
            ] == []
