"""XML from strangers."""

from __future__ import annotations

import pytest

from aks_noninteractive.entra.safe_xml import (
    MAX_DEPTH,
    XmlError,
    local_name,
    parse,
    text_of,
    to_utf8,
)


def test_names_elements_and_attributes_with_their_namespace() -> None:
    root = parse(b'<a:x xmlns:a="urn:a" xmlns="urn:d" plain="1" a:b="2"><y xml:lang="en"/></a:x>')
    assert root.tag == "{urn:a}x"
    assert root.attrib == {"plain": "1", "{urn:a}b": "2"}
    assert root[0].tag == "{urn:d}y"
    assert local_name(root[0]) == "y"
    assert list(root[0].attrib) == ["{http://www.w3.org/XML/1998/namespace}lang"]


@pytest.mark.parametrize(
    ("document", "text"),
    [
        (b"<a> \n x \t</a>", "x"),
        (b"<a>x<!-- c -->y<?p?>z</a>", "xyz"),
        (b"<a><![CDATA[<&>]]>&lt;&#233;</a>", "<&><é"),
        (b"<a/>", ""),
    ],
)
def test_gives_the_text_of_an_element(document: bytes, text: str) -> None:
    assert text_of(parse(document)) == text


def test_an_absent_element_has_no_text() -> None:
    assert text_of(None) == ""


@pytest.mark.parametrize("depth", [MAX_DEPTH, MAX_DEPTH + 1])
def test_bounds_the_depth(depth: int) -> None:
    document = b"<a>" * depth + b"</a>" * depth
    if depth <= MAX_DEPTH:
        assert parse(document).tag == "a"
    else:
        with pytest.raises(XmlError, match="deep"):
            parse(document)


@pytest.mark.parametrize(
    ("declared", "codec"),
    [
        (None, "utf-8"),
        (None, "utf-8-sig"),
        (None, "utf-16"),
        ("utf-8", "utf-8"),
        ("UTF8", "utf-8"),
        ("UTF-16", "utf-16"),
        ("utf-16", "utf-16-le"),
        ("utf-16", "utf-16-be"),
        ("ISO-8859-1", "latin-1"),
        ("iso-8859-15", "iso-8859-15"),
        ("Windows-1252", "cp1252"),
    ],
)
def test_brings_every_usual_encoding_to_utf_8(declared: str | None, codec: str) -> None:
    declaration = f"<?xml version='1.0' encoding='{declared}' ?>\n" if declared else ""
    text = f"{declaration}<a>é</a>"
    assert to_utf8(text.encode(codec)) == text.encode()
    assert text_of(parse(text.encode(codec))) == "é"


def test_does_not_copy_what_is_utf_8_already() -> None:
    document = b'<?xml version="1.0" encoding="utf-8"?><a/>'
    assert to_utf8(document) is document


@pytest.mark.parametrize(
    "document",
    [
        b"<!DOCTYPE a><a/>",
        b'<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>',
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        '<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>'.encode("utf-16"),
        b"<a>&nbsp;</a>",
        b"<a>&#0;</a>",
        b"<a>\x00</a>",
        b"<a>\xe9</a>",
        b"<a b='1' b='2'/>",
        b"<a/><b/>",
        b"<x:a/>",
        b"<a",
        b"",
        b"   ",
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"\xff\xfe<\x00a",
        b"<\x00?",
        b"not xml",
    ],
)
def test_refuses_what_is_malformed_or_more_than_plain_xml(document: bytes) -> None:
    with pytest.raises(XmlError):
        parse(document)


@pytest.mark.parametrize("name", ["utf-7", "rot13", "hex", "zlib", "punycode", "idna"])
def test_knows_no_encoding_that_is_none_of_a_text(name: str) -> None:
    with pytest.raises(XmlError):
        parse(f'<?xml version="1.0" encoding="{name}"?><a/>'.encode())


def test_an_error_is_a_sentence_that_continues_another() -> None:
    with pytest.raises(XmlError, match="^it is not well-formed: "):
        parse(b"<a>")
