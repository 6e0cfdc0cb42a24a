"""Cutting an assertion out of an answer: what was signed stays signed."""

from __future__ import annotations

import contextlib
import re
from base64 import urlsafe_b64decode
from datetime import datetime, timezone
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from aks_noninteractive.entra.safe_xml import XmlError
from aks_noninteractive.entra.saml import SamlAssertion, SamlVersion, cut_assertion
from aks_noninteractive.entra.token_endpoint import saml_grant
from unit.entra.signed_assertions import (
    DSIG,
    EXCLUSIVE,
    INCLUSIVE,
    SAML11,
    SAML20,
    TRUST13,
    TRUST2005,
    XS,
    XSI,
    assertion,
    declarations,
    rstr,
    sign,
    undeclare,
    verify,
)

TYPED = (
    '<{p}AttributeStatement><{p}Attribute><{p}AttributeValue xsi:type="xs:string">v'
    "</{p}AttributeValue></{p}Attribute></{p}AttributeStatement>"
)
TYPES = {"xs": XS, "xsi": XSI}
# What is easily mistaken when one looks for the end of an element.
TRICKY = (
    '<{p}A b="1 > 0" c=\'/>"\'/><!-- </saml:Assertion> <a> -->'
    "<{p}A><![CDATA[</saml:Assertion>]]></{p}A><?pi </saml:Assertion>?>"
    "<{p}Advice><{p}Assertion></{p}Assertion></{p}Advice>&#13;&#xe9;&amp;\r\n\t<{p}A\n/>"
)


def cut(document: str, encoding: str = "utf-8") -> SamlAssertion:
    found = cut_assertion(document.encode(encoding))
    assert found
    return found


def declared(xml: bytes) -> dict[str, str]:
    """What the first start tag of xml declares: namespaces, as they are written, by prefix."""
    start = xml.partition(b">")[0].decode()
    return dict(re.findall(r'\sxmlns:?(\w*)="([^"]*)"', start))


@pytest.mark.parametrize("namespace", [SAML11, SAML20], ids=["1.1", "2.0"])
@pytest.mark.parametrize("trust", [TRUST13, TRUST2005], ids=["trust-1.3", "trust-2005"])
@pytest.mark.parametrize(
    "content", ["", TRICKY, "é漢😀", TYPED], ids=["", "tricky", "wide", "typed"]
)
def test_keeps_the_signed_bytes_of_an_assertion(namespace: str, trust: str, content: str) -> None:
    token = sign(assertion(namespace, {"saml": namespace, **TYPES}, content))
    found = cut(rstr(token, trust=trust))
    assert found.xml == token.encode()
    assert found.version.value == namespace
    verify(found.xml)


def test_ends_an_assertion_where_it_ends_and_not_at_what_looks_like_it() -> None:
    token = sign(assertion(content=TRICKY))
    assert cut(rstr(token)).xml == token.encode()


@pytest.mark.parametrize(
    ("before", "encoding"),
    [
        ("<!-- é漢😀 -->", "utf-8"),
        ("<!-- é漢😀 -->", "utf-8-sig"),
        ("<?xml version='1.0' encoding='utf-16'?><!-- é漢😀 -->", "utf-16"),
        ("<!-- é漢😀 -->", "utf-16"),
        ("<?xml version='1.0' encoding='UTF-16LE'?>", "utf-16-le"),
        ("<?xml version='1.0' encoding='UTF-16BE'?>", "utf-16-be"),
        ('<?xml version="1.0" encoding="ISO-8859-1"?>\n<!-- é -->', "iso-8859-1"),
        ('<?xml version="1.0" encoding="windows-1252" standalone="yes"?><!-- é€ -->', "cp1252"),
    ],
)
def test_finds_an_assertion_behind_characters_of_several_bytes(before: str, encoding: str) -> None:
    token = sign(assertion(content="<{p}A b='é'>é</{p}A>"))
    found = cut(before + rstr(token), encoding)
    assert found.xml == token.encode()
    verify(found.xml)


@pytest.mark.parametrize(
    ("namespaces", "content", "prefix_list", "missing"),
    [
        pytest.param({"saml": SAML20}, "", "", ["saml"], id="its own prefix"),
        pytest.param({"": SAML20}, "", "", [""], id="its own default namespace"),
        pytest.param({"saml": SAML20, **TYPES}, TYPED, "", ["xs", "xsi"], id="xsi:type"),
        pytest.param({"saml": SAML20, **TYPES}, TYPED, "", ["saml", "xs", "xsi"], id="all"),
        pytest.param({"saml": SAML20, **TYPES}, TYPED, "xs", ["xs", "xsi"], id="PrefixList xs"),
        pytest.param({"saml": SAML20, "x": "urn:x"}, "", "x", ["x"], id="only in the PrefixList"),
        pytest.param({"saml": SAML20, "": "urn:d"}, "", "#default", [""], id="PrefixList #default"),
        pytest.param(
            {"saml": SAML20, "": "urn:d", "x": "urn:x"},
            "",
            "x #default not-declared",
            ["", "saml", "x"],
            id="PrefixList of several",
        ),
        pytest.param({"saml": SAML20, "": "urn:d"}, "<d/>", "", [""], id="a child without prefix"),
        pytest.param(
            {"saml": SAML20, "": "urn:d"}, '<d><e xmlns=""/></d>', "", [""], id="undeclared below"
        ),
        pytest.param(
            {"saml": SAML20, "q": "urn:q"}, '<{p}A q:b="1"/>', "", ["q"], id="an attribute's"
        ),
        pytest.param(
            {"saml": SAML20, "ds": DSIG}, "<ds:Object/>", "ds", ["ds"], id="the signature's own"
        ),
    ],
)
@pytest.mark.parametrize("on", ["envelope", "token"])
def test_declares_what_only_ancestors_declared(
    namespaces: dict[str, str],
    content: str,
    prefix_list: str,
    missing: list[str],
    on: str,
) -> None:
    token = undeclare(
        sign(assertion(SAML20, namespaces, content), prefix_list=prefix_list), *missing
    )
    outside = {prefix: namespaces[prefix] for prefix in missing} | {"more": "urn:more"}
    if on == "envelope":
        document = rstr(token, namespaces=outside)
    else:
        start = "<t:RequestedSecurityToken"
        document = rstr(token).replace(f"{start}>", f"{start}{declarations(outside)}>")
    found = cut(document)
    verify(found.xml)
    assert declared(found.xml) == namespaces
    # Nothing else of it has changed.
    assert undeclare(found.xml.decode(), *missing) == token


@pytest.mark.parametrize(
    "outside",
    [
        {"a": "urn:a", "b": "urn:b", "xsi": XSI},
        {"": "urn:default"},
        {"saml": "urn:another"},
        {"saml": SAML20},
    ],
    ids=["unused", "default", "other", "same"],
)
@pytest.mark.parametrize("c14n", [EXCLUSIVE, INCLUSIVE], ids=["exclusive", "inclusive"])
def test_leaves_an_assertion_alone_that_lacks_nothing(outside: dict[str, str], c14n: str) -> None:
    text = assertion(SAML20, {"saml": SAML20}, '<{p}A b="xs:string" xml:lang="en">a:b</{p}A>')
    token = sign(text, c14n)
    found = cut(rstr(token, namespaces=outside))
    assert found.xml == token.encode()
    verify(found.xml)


def test_keeps_a_default_namespace_away_from_an_assertion_that_undeclares_it() -> None:
    token = sign(assertion(SAML20, {"saml": SAML20, "": ""}, "<a/>"))
    found = cut(rstr(token, namespaces={"": "urn:default"}))
    assert found.xml == token.encode()
    verify(found.xml)


def test_declares_what_a_prefix_list_names_although_it_is_declared_again_inside() -> None:
    # The list speaks of the element that is signed, not of the place where it stands.
    token = sign(assertion(SAML20, {"saml": SAML20, "ds": "urn:not-dsig"}), prefix_list="ds")
    assert f'<ds:Signature xmlns:ds="{DSIG}"' in token
    found = cut(rstr(undeclare(token, "ds"), namespaces={"ds": "urn:not-dsig"}))
    verify(found.xml)


@pytest.mark.parametrize(
    "uri",
    ["urn:a&amp;b", "urn:'q", "urn:&quot;q", "urn:&quot;'", "urn:&lt;é漢", "urn:&#9;&#10;&#13;x"],
)
def test_writes_any_namespace_so_that_it_reads_the_same(uri: str) -> None:
    # lxml refuses a namespace that is no URI; the standard library does not mind.
    document = rstr(assertion(SAML20, content="<p:x/>"), namespaces={"p": uri})
    (expected,) = (e.tag for e in ElementTree.fromstring(document).iter() if e.tag.endswith("}x"))
    assert ElementTree.fromstring(cut(document).xml)[-1].tag == expected


def test_takes_the_nearest_declaration_of_a_prefix() -> None:
    token = undeclare(sign(assertion(SAML20)), "saml")
    start = "<t:RequestedSecurityToken"
    document = rstr(token, namespaces={"saml": "urn:far"}).replace(
        f"{start}>", f'{start} xmlns:saml="{SAML20}">'
    )
    verify(cut(document).xml)


@pytest.mark.parametrize(
    "first",
    [
        '<saml:EncryptedAssertion xmlns:saml="{SAML20}"/>',
        '<x:BinarySecurityToken xmlns:x="urn:x">QUJD</x:BinarySecurityToken>',
        '<Assertion xmlns="urn:oasis:names:tc:SAML:3.0:assertion"/>',
        "",
    ],
)
def test_takes_the_first_response_of_a_collection_that_holds_an_assertion(first: str) -> None:
    token = sign(assertion(SAML20))
    other = rstr(first.replace("{SAML20}", SAML20)).partition("Collection>")[2]
    other = other.partition("</t:RequestSecurityTokenResponseCollection>")[0]
    document = rstr(token).replace("Collection>", f"Collection>{other}", 1)
    assert cut(document).xml == token.encode()


def test_takes_the_first_of_several_assertions() -> None:
    token = assertion(SAML20)
    assert cut(rstr(token + assertion(SAML11))).xml == token.encode()


@pytest.mark.parametrize(
    "document",
    [
        rstr("").replace("<s:Body>", f"<s:Body>{assertion()}"),
        rstr(assertion(), trust="urn:another-trust"),
        rstr(f"<x>{assertion()}</x>"),
        rstr('<Assertion xmlns="urn:x"/>'),
        rstr("<!-- nothing -->"),
        "<html/>",
    ],
    ids=["elsewhere", "other trust", "deeper", "other assertion", "nothing", "html"],
)
def test_finds_no_assertion_where_none_is_requested(document: str) -> None:
    assert cut_assertion(document.encode()) is None


def test_an_empty_assertion_does_not_take_its_surroundings_along() -> None:
    token = f'<saml:Assertion xmlns:saml="{SAML20}"/>'
    found = cut_assertion(rstr(token).encode())
    assert found is None or found.xml == token.encode()


@pytest.mark.parametrize(
    "document",
    [
        "<!DOCTYPE a>" + rstr(assertion()),
        '<!DOCTYPE a [<!ENTITY x "y">]>' + rstr(assertion(content="&x;")),
        rstr(assertion(content="&x;")),
        rstr(assertion(content="<a>" * 300 + "</a>" * 300)),
        rstr(assertion(content="<no:prefix/>")),
        rstr(assertion(content="<a no:prefix='1'/>")),
        rstr(assertion(namespaces={"saml": SAML11} | {f"p{i}": "urn:p" for i in range(300)})),
        rstr(assertion())[:-1],
        '<?xml version="1.0" encoding="utf-7"?>' + rstr(assertion()),
        '<?xml version="1.0" encoding="rot13"?>' + rstr(assertion()),
        '<?xml version="1.0" encoding="hex"?>' + rstr(assertion()),
        "",
    ],
)
def test_refuses_what_is_not_harmless_xml(document: str) -> None:
    with pytest.raises(XmlError):
        cut_assertion(document.encode())


@pytest.mark.parametrize("broken", [b"<a>\xff</a>", b"\xff\xfe<", b"\xfe\xff\xd8\x00\x00<"])
def test_refuses_bytes_that_do_not_follow_their_encoding(broken: bytes) -> None:
    with pytest.raises(XmlError):
        cut_assertion(broken)


def test_reads_utf_8_that_calls_itself_utf_16() -> None:
    # .NET's StringWriter declares utf-16 whatever the bytes are written in afterwards.
    token = sign(assertion())
    found = cut('<?xml version="1.0" encoding="utf-16"?>' + rstr(token))
    assert found.xml == token.encode()


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("2026-01-01T01:00:00Z", "2026-01-01T01:00:00+00:00"),
        ("2026-01-01T01:00:00.1234567Z", "2026-01-01T01:00:00+00:00"),
        (" 2026-01-01T01:00:00 ", "2026-01-01T01:00:00+00:00"),
        ("2026-01-01T01:00:00-02:30", "2026-01-01T03:30:00+00:00"),
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59+00:00"),
        ("tomorrow", None),
        ("2026-13-01T01:00:00Z", None),
        ("2026-01-01T24:00:00Z", None),
        ("", None),
    ],
)
def test_knows_when_an_assertion_ends(text: str, end: str | None) -> None:
    token = assertion().replace("2026-01-01T01:00:00.000Z", text)
    found = cut(rstr(token))
    expected = datetime.fromisoformat(end).astimezone(timezone.utc).timestamp() if end else None
    assert found.not_on_or_after == expected


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00"])
def test_an_end_outside_the_calendar_is_no_failure(text: str) -> None:
    cut(rstr(assertion().replace("2026-01-01T01:00:00.000Z", text)))


def test_takes_the_end_from_the_conditions_of_the_assertion_itself() -> None:
    inner = '<{p}Advice><{p}Assertion><{p}Conditions NotOnOrAfter="2030-01-01T00:00:00Z"/>'
    token = assertion(content=inner + "</{p}Assertion></{p}Advice>")
    found = cut(rstr(token))
    assert found.not_on_or_after == datetime(2026, 1, 1, 1, tzinfo=timezone.utc).timestamp()
    assert found.is_valid_at(found.not_on_or_after - 1)
    assert not found.is_valid_at(found.not_on_or_after)


def test_an_assertion_without_an_end_is_valid() -> None:
    assert SamlAssertion(SamlVersion.V20, b"<a/>", None).is_valid_at(1e12)


def test_an_assertion_is_not_shown_by_its_repr() -> None:
    assert "secret" not in repr(SamlAssertion(SamlVersion.V20, b"<secret/>", None))


@pytest.mark.parametrize(
    ("namespace", "grant_type"),
    [
        (SAML11, "urn:ietf:params:oauth:grant-type:saml1_1-bearer"),
        (SAML20, "urn:ietf:params:oauth:grant-type:saml2-bearer"),
    ],
)
def test_the_grant_carries_exactly_the_assertion(namespace: str, grant_type: str) -> None:
    # Of these lengths one at least would be padded.
    for filler in ("", "<a/>", "<ab/>"):
        token = assertion(namespace, content=filler)
        grant = saml_grant(cut(rstr(token)))
        assert set(grant) == {"grant_type", "assertion"}
        assert grant["grant_type"] == grant_type
        assert re.fullmatch(r"[A-Za-z0-9_-]+", grant["assertion"])
        padding = "=" * (-len(grant["assertion"]) % 4)
        assert urlsafe_b64decode(grant["assertion"] + padding) == token.encode()


# Elements at random: each declares some prefixes, and uses one for its name and one for an
# attribute; those that nothing in scope declares, it declares itself.
_PREFIXES = st.sampled_from(["", "p", "q", "r"])
_URIS = st.sampled_from(["urn:1", "urn:2?a='&amp;", ""])
_DECLARED = st.dictionaries(_PREFIXES, _URIS, max_size=2)
_LEAF: st.SearchStrategy = st.tuples(_DECLARED, _PREFIXES, _PREFIXES, st.just([]))
_TREE = st.recursive(
    _LEAF,
    lambda children: st.tuples(_DECLARED, _PREFIXES, _PREFIXES, st.lists(children, max_size=3)),
    max_leaves=8,
)


def _render(tree, scope: dict[str, str], prefix_list: str) -> str:
    own, prefix, attribute, children = tree
    own = {name: uri for name, uri in own.items() if uri or not name}
    for used in (prefix, attribute):
        if used and not (scope | own).get(used):
            own[used] = "urn:own"
    scope = scope | own
    text = declarations(own)
    inner = "".join(_render(child, scope, prefix_list) for child in children)
    if prefix_list and not children:
        inner = f'<ec:InclusiveNamespaces xmlns:ec="{EXCLUSIVE}" PrefixList="{prefix_list}"/>'
    name = f"{prefix}:e" if prefix else "e"
    named = f'{attribute}:a="1 > 0"' if attribute else 'a="1"'
    return f"<{name}{text} {named}>{inner}</{name}>"


@settings(deadline=None, max_examples=300, database=None)
@given(
    outside=st.lists(_DECLARED, min_size=1, max_size=3),
    own=_DECLARED,
    trees=st.lists(_TREE, min_size=1, max_size=3),
    inclusive=st.lists(st.sampled_from(["#default", "p", "q", "r"]), max_size=2, unique=True),
)
def test_means_the_same_in_and_out_of_its_surroundings(
    outside: list[dict[str, str]],
    own: dict[str, str],
    trees: list,
    inclusive: list[str],
) -> None:
    scope: dict[str, str] = {}
    opened = ""
    for layer in outside:
        element = _render((layer, "", "", []), scope, "").removesuffix("</e>")
        opened += element
        scope |= {name: uri for name, uri in layer.items() if uri or not name}
    content = _render((own, "", "", trees), scope, " ".join(inclusive))
    start, close, rest = content.removeprefix("<e").removesuffix("</e>").partition(">")
    # An attribute's value may hold a ">", but that of the outermost is without one.
    token = f'<saml:Assertion xmlns:saml="{SAML20}"{start}{close}{rest}</saml:Assertion>'
    document = f'<t:RequestedSecurityToken xmlns:t="{TRUST13}">{token}</t:RequestedSecurityToken>'
    document = opened + document + "</e>" * len(outside)

    found = cut(document)
    root = etree.fromstring(document.encode())
    inside = root.find(f".//{{{SAML20}}}Assertion")

    # lxml knows no "#default" in the list, hence the comparison by hand below.
    def canonical(element: etree._Element) -> bytes:
        return etree.tostring(
            element, method="c14n", exclusive=True, inclusive_ns_prefixes=inclusive, with_tail=False
        )

    expected = canonical(inside)
    assert canonical(etree.fromstring(found.xml)) == expected
    listed = {word.replace("#default", "") for word in inclusive}
    in_context = scope | {name: uri for name, uri in own.items() if uri or not name}
    for prefix in listed:
        assert declared(found.xml).get(prefix, "") == in_context.get(prefix, "")
    added = declared(found.xml).keys() - declared(token.encode()).keys()
    assert added or found.xml == token.encode()
    for prefix in added - listed:
        without = undeclare(found.xml.decode(), prefix)
        with contextlib.suppress(etree.XMLSyntaxError):
            assert canonical(etree.fromstring(without.encode())) != expected
