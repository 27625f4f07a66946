"""What scripts say in the language of the page, each form of what is counted, and English where a language lacks it."""

from __future__ import annotations

import json

import pytest

from desk.languages import language
from tests.fixtures.browser import Office

RUSSIAN = {
    "Close {title}": "Закрыть {title}",
    "{title} (Alt+{place})": "Alt+{place}: {title}",
    "{n} tab": ["{n} вкладка", "{n} вкладки", "{n} вкладок"],
}
ASK = """async (say) => {
  const { say: one, counted } = await import("/static/words.js");
  return say.map(([sentence, ...rest]) => (typeof rest[1] === "number" ? counted : one)(sentence, ...rest));
}"""
SAID = [
    (["Close {title}", {"title": "{n} $& <b>"}], "Закрыть {n} $& <b>", "Close {n} $& <b>"),
    (["{title} (Alt+{place})", {"title": "Sok", "place": 0}], "Alt+0: Sok", "Sok (Alt+0)"),
    (["{what} is said", {}], "{what} is said", "{what} is said"),
    (["{n} tab", "{n} tabs", 1], "1 вкладка", "1 tab"),
    (["{n} tab", "{n} tabs", 3], "3 вкладки", "3 tabs"),
    (["{n} tab", "{n} tabs", 11], "11 вкладок", "11 tabs"),
    (["{n} tab", "{n} tabs", 21], "21 вкладка", "21 tabs"),
    (["{n} row of {file}", "{n} rows of {file}", 1, {"file": "a"}], "1 row of a", "1 row of a"),
    (["{n} row of {file}", "{n} rows of {file}", 21, {"file": "a"}], "21 rows of a", "21 rows of a"),
]


@pytest.mark.parametrize("russian", [True, False])
async def test_each_sentence_is_said_with_its_values_in_the_form_that_its_number_takes(
    office: Office, russian: bool
) -> None:
    context = await office.browser.new_context()
    form = language("ru").catalog.plural_expr
    words = f"globalThis.ringcardWords = {{ form: (n) => Number({form}), texts: {json.dumps(RUSSIAN)} }};"
    if russian:
        await context.add_init_script(words)
    page = await context.new_page()
    await page.goto(f"{office.address}/sign-in")
    assert await page.evaluate(ASK, [asked for asked, _, _ in SAID]) == [said[0 if russian else 1] for _, *said in SAID]
    await context.close()
