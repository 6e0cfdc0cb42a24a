"""What an error says: where, what, and nothing that is a secret."""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape

import pytest

from aks_noninteractive.errors import AksAuthError, quote_server


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({}, "it failed"),
        ({"step": "user realm"}, "user realm: it failed"),
        ({"host": "h:1"}, "h:1: it failed"),
        ({"step": "user realm", "host": "h:1"}, "user realm at h:1: it failed"),
        ({"code": "AADSTS1"}, "it failed (AADSTS1)"),
        ({"correlation_id": "c"}, "it failed (correlation id c)"),
        ({"code": "AADSTS1", "correlation_id": "c"}, "it failed (AADSTS1, correlation id c)"),
        ({"remedy": "Do it."}, "it failed"),
    ],
)
def test_an_error_says_where_what_and_which(facts: dict[str, str], sentence: str) -> None:
    error = AksAuthError("it failed", **facts)
    assert str(error) == sentence
    assert error.remedy == facts.get("remedy", "")


@pytest.mark.parametrize(
    ("said", "quoted"),
    [
        (" two\r\n lines\t", "two lines"),
        ("\x1b[31mred\x1b[0m\x00", "[31mred[0m"),
        ("right\u202eleft\u2066\u200b", "rightleft"),
        ("é漢😀", "é漢😀"),
        ("\ud800x", "x"),
        ("", ""),
    ],
)
def test_a_quotation_is_one_printable_line(said: str, quoted: str) -> None:
    assert quote_server(said) == quoted


def test_a_long_quotation_is_cut() -> None:
    quoted = quote_server("word " * 1000)
    assert len(quoted) <= 500 and quoted.endswith("…")


@pytest.mark.parametrize(
    ("said", "secrets"),
    [
        ("you sent s3cret and s3cret", ("s3cret",)),
        ("you sent s3cret", ("", "s3cret")),
        ("you sent  s3cret\n  value ", (" s3cret\n  value ",)),
        ("you sent s3cret value", (" s3cret\n  value ",)),
        ("you sent s3\u200bcret", ("s3\u200bcret",)),
        ("x" * 495 + " s3cret-that-is-long", ("s3cret-that-is-long",)),
    ],
)
def test_a_quotation_holds_no_secret(said: str, secrets: tuple[str, ...]) -> None:
    quoted = quote_server(said, *secrets)
    assert "s3" not in quoted and "value" not in quoted


@pytest.mark.parametrize(
    "spelling",
    [
        *(str, quote, quote_plus, lambda s: quote(s, safe=""), lambda s: quote_plus(s).lower()),
        *(escape, html.escape, lambda s: escape(s, {'"': "&quot;", "'": "&apos;"})),
        *(json.dumps, lambda s: json.dumps(s, ensure_ascii=False)),
    ],
)
def test_a_quotation_holds_no_secret_as_others_spell_it(spelling: Callable[[str], str]) -> None:
    secret = "p&<>\"'é漢% w o r d/"

    quoted = quote_server(f"you sent password={spelling(secret)}&scope=x", secret)

    assert quoted.replace('"', "") == "you sent password=***&scope=x"


def test_a_quotation_holds_no_part_of_a_long_secret() -> None:
    assertion = "<saml:Assertion><x>dGhlIHNpZ25hdHVyZQ/of+it==</x></saml:Assertion>"

    assert quote_server("bad: dGhlIHNpZ25hdHVyZQ/of...", assertion) == "bad: ***..."


def test_a_quotation_never_holds_a_jwt() -> None:
    said = "Bearer eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJtaWEifQ.c2lnbmF0dXJl, expired"

    assert quote_server(said) == "Bearer ***, expired"
