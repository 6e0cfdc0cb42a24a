"""Known attacks on parsers, by the language that they are written in, up to the largest answer.

Each is a function, because the larger ones are megabytes. `attacks(target)` has those that concern
a target: of its language, and each hostile value at each place of its samples.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from aks_noninteractive.kubeconfig.document import MAX_NODES
from hostile.samples import SAMPLES, TREES
from hostile.targets import TARGETS

MIB = 1024 * 1024
LIMIT = 4 * MIB  # entra/http.py reads no more of an answer
DEEP = 100_000

Attack = Callable[[], bytes]


def attacks(target: str) -> dict[str, Attack]:
    """The attacks on a target by name."""
    kind = TARGETS[target].kind
    found: dict[str, Attack] = {**_ANY, **_BY_KIND[kind], **_BY_TARGET.get(target, {})}
    text = SAMPLES[target][0].decode()
    for encoding in ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-7", "cp037"):
        found[f"a valid one in {encoding}"] = partial(text.encode, encoding)
    found["a valid one twice"] = lambda: SAMPLES[target][0] * 2
    found["a valid one cut in half"] = lambda: SAMPLES[target][0][: len(text) // 2]
    tried: set[tuple[Any, ...]] = set()
    for number, tree in enumerate(TREES.get(target, [])):
        new = [place for place in places(tree) if place not in tried]
        tried.update(new)
        for value_name, value in {**_ODD_VALUES, **_ODD_VALUES_BY_KIND.get(kind, {})}.items():
            for place in new:
                where = ".".join(map(str, place))
                found[f"{value_name} at {where} of {number}"] = partial(_with, tree, place, value)
    return found


def places(tree: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value in tree, the whole first; of a list, to the first four."""
    yield above
    if isinstance(tree, dict | list):
        for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree[:4]):
            yield from places(value, (*above, key))


def _with(tree: Any, place: tuple[Any, ...], text: str) -> bytes:
    """tree as JSON, which is YAML as well, with text at place."""
    mark = "\ufffemark"

    def put(value: Any, way: tuple[Any, ...]) -> Any:
        if not way:
            return mark
        if isinstance(value, dict):
            return {k: put(v, way[1:]) if k == way[0] else v for k, v in value.items()}
        return [put(v, way[1:]) if i == way[0] else v for i, v in enumerate(value)]

    return json.dumps(put(tree, place)).replace(json.dumps(mark), text).encode()


def filled(start: str, unit: str, end: str = "", size: int = LIMIT) -> bytes:
    """start, unit again and again, end: as near below size as it goes."""
    count = (size - len(start.encode()) - len(end.encode())) // len(unit.encode())
    return (start + unit * count + end).encode()


def numbered(start: str, unit: str, end: str, size: int = LIMIT) -> bytes:
    """As filled, with %06d in unit counted up."""
    count = (size - len(start) - len(end)) // len(unit % 0)
    return (start + "".join(unit % n for n in range(count)) + end).encode()


_ODD_VALUES = {
    "null": "null",
    "true": "true",
    "a number": "7",
    "a negative number": "-1",
    "1e999": "1e999",
    "the largest int": "9" * 4300,
    "an int that is too long": "9" * 5000,
    "an empty string": '""',
    "white space": '" \\t\\n "',
    "terminal escapes": '"https://x\\u001b]0;title\\u0007\\u202e\\r\\n/"',
    "NUL": '"https://x\\u0000/"',
    "a long string": '"' + "https://x/" * 20_000 + '"',
    "a long run of spaces": '"AADSTS50126: ' + " " * 20_000 + '"',
    "an empty list": "[]",
    "a list of lists": "[[], [[]]]",
    "a list of nulls": "[null, null]",
    "an empty mapping": "{}",
    "a list of text": '["a", "-"]',
    "a mapping": '{"name": {"name": []}}',
    "a mapping with a key twice": '{"name": 1, "name": 2}',
    "deep lists": "[" * DEEP + "]" * DEEP,
    "deep mappings": '{"a":' * DEEP + "1" + "}" * DEEP,
    # Near the recursion limit, where one parser can still read what the next cannot write.
    **{f"{depth} lists": "[" * depth + "]" * depth for depth in (90, 500, 950)},
}
_YAML_LAUGHS = "".join(f"&l{n} [{','.join([f'*l{n - 1}'] * 9)}], " for n in range(1, 60))
_ODD_VALUES_BY_KIND = {
    "json": {
        "NaN": "NaN",
        "-Infinity": "-Infinity",
        "lone surrogates": '"https://x\\ud800/\\udc00"',
        "surrogates in wrong order": '"\\udc00\\ud800"',
    },
    "yaml": {
        "billion laughs": f"[&l0 [lol], {_YAML_LAUGHS}*l59]",
        "billion laughs in mappings": "[&l0 {a: lol}, "
        + "".join(f"&l{n} {{a: *l{n - 1}, b: *l{n - 1}}}, " for n in range(1, 99))
        + "*l98]",
        "arguments that laugh": f"[-I, -S, quick_path.py, &l0 [lol], {_YAML_LAUGHS}*l59]",
        "aliases of aliases, deep": "[&x0 [b]"
        + "".join(f", &x{n} [*x{n - 1}]" for n in range(1, 2000))
        + "]",
        "a python object": "!!python/object/apply:os.system [exit]",
        "binary": "!!binary QUJD",
        "a set": "!!set {a, b}",
        "a tag of its own": "!own x",
        "a merge key": "{<<: {a: b}, <<: [{c: d}]}",
        "an alias within itself": "&x [*x]",
        "an alias of nothing": "*nothing",
        **{f"the surprise {text}": text for text in ("yes", "~", "0123", "1:20", "=")},
        "more surprises": "[no, on, off, 0o17, 1e3, 1:20.5, 2020-01-01 1:00:00 +1, .nan, <<]",
        "line separators": '"\\x85 \\u2028 \\u2029 \\ufeff"',
        "a wrong tag of text": "!!int text",
    },
}

_ANY: dict[str, Attack] = {
    "nothing": lambda: b"",
    "white space alone": lambda: b" \t\r\n" * 1000,
    "one NUL": lambda: b"\0",
    "NULs": lambda: b"\0" * LIMIT,
    "bytes that are no text": lambda: bytes(range(256)) * (LIMIT // 256),
    "0xFF": lambda: b"\xff" * LIMIT,
    "a byte order mark alone": lambda: b"\xef\xbb\xbf",
    "byte order marks": lambda: b"\xef\xbb\xbf" * 1000,
    "half of UTF-16": lambda: b"\xff\xfe<",
    "overlong UTF-8": lambda: b"\xc0\xaf\xe0\x80\xaf\xf0\x80\x80\xaf",
    "surrogates in UTF-8": lambda: b'{"a": "\xed\xa0\x80"}',
    "latin-1": lambda: '{"a": "é"}'.encode("latin-1"),
    "HTML": lambda: b"<!DOCTYPE html><html><body>Sign in<br></body></html>",
    "4 MiB of spaces": lambda: b" " * LIMIT,
    "4 MiB of line ends": lambda: b"\n" * LIMIT,
    "4 MiB of letters": lambda: b"a" * LIMIT,
    "one byte above 4 MiB": lambda: b"[" + b" " * (LIMIT - 1) + b"]",
    "deep brackets": lambda: b"[" * LIMIT,
    "deep braces": lambda: b'{"a":' * (LIMIT // 5),
}
_JSON: dict[str, Attack] = {
    "4 MiB of empty lists": lambda: filled("[", "[],", "0]"),
    "4 MiB of empty mappings": lambda: filled("[", "{},", "0]"),
    "4 MiB of mappings": lambda: filled("[", '{"a":0},', "0]"),
    "4 MiB of numbers": lambda: filled("[", "1.5,", "0]"),
    "4 MiB of escapes": lambda: filled('{"a":"', "\\u0000", '"}'),
    "4 MiB of one key": lambda: filled("{", '"a":1,', '"b":1}'),
    "4 MiB of keys": lambda: numbered("{", '"%06d":0,', '"a":1}'),
    "4 MiB of digits": lambda: filled("[", "9", "]"),
    "4 MiB of digits after a point": lambda: filled("[0.", "9", "]"),
    "4 MiB of digits of an exponent": lambda: filled("[1e", "9", "]"),
    "not a mapping": lambda: b'["a"]',
    "NaN alone": lambda: b"NaN",
    "a comment": lambda: b"{} // words",
    "a string that does not end": lambda: b'{"a": "',
    "a control character in a string": lambda: b'{"a": "\x01"}',
}

_DTD = "<!DOCTYPE a [%s]><a>%s</a>"
_XML: dict[str, Attack] = {
    "billion laughs": lambda: (
        _DTD
        % (
            '<!ENTITY l0 "lol">'
            + "".join(f'<!ENTITY l{n} "' + f"&l{n - 1};" * 10 + '">' for n in range(1, 10)),
            "&l9;",
        )
    ).encode(),
    "quadratic entities": lambda: (
        _DTD % ('<!ENTITY b "%s">' % ("x" * MIB), "&b;" * (MIB // 3))
    ).encode(),
    "an external entity": lambda: (
        _DTD % ('<!ENTITY x SYSTEM "file:///etc/passwd">', "&x;")
    ).encode(),
    "an external entity by http": lambda: (
        _DTD % ('<!ENTITY x SYSTEM "http://127.0.0.1:9/x">', "&x;")
    ).encode(),
    "a parameter entity": lambda: (
        _DTD % ('<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;', "")
    ).encode(),
    "an external document type": lambda: b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
    "an empty document type": lambda: b"<!DOCTYPE a><a/>",
    "attribute defaults": lambda: (_DTD % ('<!ATTLIST a b CDATA "c">', "")).encode(),
    "an unknown entity": lambda: b"<a>&nbsp;</a>",
    "XInclude": lambda: (
        b'<a xmlns:i="http://www.w3.org/2001/XInclude"><i:include href="file:///etc/passwd"/></a>'
    ),
    "a style sheet": lambda: b'<?xml-stylesheet href="file:///etc/passwd"?><a/>',
    "4 MiB of processing instructions": lambda: filled("<a>", "<?a b?>", "</a>"),
    "4 MiB of comments": lambda: filled("<a>", "<!---->", "</a>"),
    "4 MiB of CDATA": lambda: filled("<a>", "<![CDATA[]]>", "</a>"),
    "4 MiB of character references": lambda: filled("<a>", "&#9;", "</a>"),
    "4 MiB of elements": lambda: filled("<a>", "<b/>", "</a>"),
    "4 MiB of elements with text": lambda: filled("<a>", "<b>c</b>d", "</a>"),
    "4 MiB of elements with an attribute": lambda: filled("<a>", '<b c=""/>', "</a>"),
    "4 MiB of attributes": lambda: numbered("<a", ' b%06d=""', "/>"),
    "4 MiB of prefixes": lambda: numbered("<a", ' xmlns:b%06d="u"', "/>"),
    "4 MiB of redeclared prefixes": lambda: filled(
        numbered("<a", ' xmlns:b%06d="u"', ">", 250 * 19).decode(), '<b xmlns:b1="v"/>', "</a>"
    ),
    "4 MiB of one name": lambda: filled("<", "a", "/>"),
    "4 MiB of a start tag": lambda: filled("<a ", " "),
    "4 MiB of start tags": lambda: filled("", "<a>"),
    "deep elements": lambda: b"<a>" * DEEP + b"</a>" * DEEP,
    "an attribute twice": lambda: b'<a b="" b=""/>',
    "an attribute twice by namespace": lambda: b'<a xmlns:b="u" xmlns:c="u" b:d="" c:d=""/>',
    "a prefix that nobody declares": lambda: b"<x:a/>",
    "two colons": lambda: b'<a:b:c xmlns:a="u"/>',
    "the xml prefix redeclared": lambda: b'<a xmlns:xml="urn:x"/>',
    "the xmlns prefix declared": lambda: b'<a xmlns:xmlns="urn:x"/>',
    "a prefix undeclared": lambda: b'<a xmlns:b="u"><b:c xmlns:b=""/></a>',
    "a brace in a namespace": lambda: b'<a xmlns="{u}b"/>',
    "a reference to NUL": lambda: b"<a>&#0;</a>",
    "a reference to a surrogate": lambda: b"<a>&#xD800;</a>",
    "a reference beyond Unicode": lambda: b"<a>&#x110000;</a>",
    "text behind the end": lambda: b"<a/>text",
    "an unknown encoding": lambda: b'<?xml version="1.0" encoding="utf-7"?><a/>',
    "an encoding of Python's": lambda: b'<?xml version="1.0" encoding="zlib_codec"?><a/>',
    "UTF-16 that is none": lambda: b'<?xml version="1.0" encoding="utf-16"?><a/>',
    "UTF-16 of half a character": lambda: b"\xff\xfe<\0a\0/\0>\0\x00\xd8",
    "4 MiB of UTF-16": lambda: ("<a>" + "é" * (2 * MIB - 10) + "</a>").encode("utf-16"),
    "XML 1.1": lambda: b'<?xml version="1.1"?><a>&#1;</a>',
}

_YAML: dict[str, Attack] = {
    "billion laughs at the top": lambda: f"a: [&l0 [lol], {_YAML_LAUGHS}*l59]".encode(),
    "a merge of merges": lambda: (
        "a0: &m0 {k: v}\n"
        + "".join(f"a{n}: &m{n} {{<<: [*m{n - 1}, *m{n - 1}]}}\n" for n in range(1, 99))
    ).encode(),
    "aliases of aliases, deep": lambda: (
        "a: [&x0 [b]" + "".join(f", &x{n} [*x{n - 1}]" for n in range(1, DEEP)) + "]"
    ).encode(),
    "4 MiB of aliases": lambda: filled("a: &x {}\nb: [", "*x ,", "*x ]"),
    "4 MiB of anchors": lambda: numbered("a: [", "&a%06d b,", "c]"),
    "4 MiB of items": lambda: filled("a: [", "b,", "c]"),
    "as many values as are taken": lambda: b"a: [" + b"b," * (MAX_NODES - 10) + b"c]",
    "4 MiB of nulls": lambda: filled("a:\n", "-\n"),
    "4 MiB of empty lists": lambda: filled("a: [", "[],", "b]"),
    "4 MiB of empty mappings": lambda: filled("a: [", "{},", "b]"),
    "4 MiB of keys": lambda: numbered("", "a%06d:\n", ""),
    "4 MiB of one key": lambda: filled("", "a: b\n"),
    "4 MiB of documents": lambda: filled("", "---\n"),
    "4 MiB of comments": lambda: filled("", "#\n"),
    "4 MiB of tags": lambda: filled("a: [", "!!str b,", "c]"),
    "4 MiB of folded text": lambda: filled("a: >\n", " b\n\n"),
    "4 MiB of quotes": lambda: filled("a: '", "''", "'"),
    "4 MiB of escapes": lambda: filled('a: "', "\\x01", '"'),
    "4 MiB of plain text": lambda: filled("a: ", "b c "),
    "deep sequences": lambda: b"- " * DEEP,
    "deep keys": lambda: b"? " * DEEP,
    "deep mappings by indentation": lambda: "\n".join(f"{' ' * n}a:" for n in range(2800)).encode(),
    "a key of 2 MiB": lambda: b"? " + b"a" * 2 * MIB + b"\n: b\n",
    "a tag directive": lambda: b"%TAG ! tag:yaml.org,2002:python/\n---\na: !object/new:os.x []",
    "YAML 9.9": lambda: b"%YAML 9.9\n---\na: b\n",
    "a python name": lambda: b"a: !!python/name:os.system",
    "a key twice": lambda: b"a: 1\na: 2\n",
    "a list as key": lambda: b"? [a]\n: b\n",
    "an alias as key": lambda: b"a: &x [b]\n*x : c\n",
    "a tab": lambda: b"a:\n\tb: c\n",
    "two documents": lambda: b"a: b\n---\nc: d\n",
    "a lone surrogate": lambda: b'a: "\\ud800"',
    "a list": lambda: b"- a\n",
}

_LINES: dict[str, Attack] = {
    "4 MiB of dashes": lambda: b"-" * LIMIT,
    "surrogates": lambda: b"\xed\xa0\x80\n\xff",
}

_BY_KIND = {"json": _JSON, "xml": _XML, "yaml": _YAML, "lines": _LINES}


def _token_file(**lines: bytes) -> Attack:
    names = ("magic", "until", "renewal", "expiry", "stored", "profile", "token", "end", "nothing")
    whole = dict(zip(names, SAMPLES["token-file"][0].split(b"\n"), strict=True))
    return lambda: b"\n".join({**whole, **lines}.values())


_NUMBERS = {
    "empty": b"",
    "negative": b"-1",
    "huge": b"9" * 20,
    "too long": b"9" * MIB,
    "spaced": b" 1_0 ",
    "of other digits": "١".encode(),
    "NUL": b"\0",
    "hexadecimal": b"0x10",
}
_POLICY = (
    '<p:Policy u:Id="a{n}"><p:ExactlyOne><p:All><y:SignedSupportingTokens><p:Policy>'
    "<y:UsernameToken/></p:Policy></y:SignedSupportingTokens><y:TransportBinding/></p:All>"
    "</p:ExactlyOne></p:Policy>"
)
_BINDING = (
    '<binding name="b{n}"><s:binding transport="http://schemas.xmlsoap.org/soap/http"/>'
    '<operation><s:operation soapAction="http://schemas.xmlsoap.org/ws/2005/02/trust/RST/Issue"/>'
    '</operation><p:PolicyReference URI="#x"/></binding>'
)
_DEFINITIONS = (
    '<definitions xmlns="http://schemas.xmlsoap.org/wsdl/"'
    ' xmlns:s="http://schemas.xmlsoap.org/wsdl/soap12/"'
    ' xmlns:p="http://schemas.xmlsoap.org/ws/2004/09/policy"'
    ' xmlns:y="http://schemas.xmlsoap.org/ws/2005/07/securitypolicy" xmlns:u="http://docs.'
    'oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd">'
)


def _many_policies_and_bindings() -> bytes:
    count = 2 * MIB // len(_BINDING)
    items = [template.format(n=n) for template in (_POLICY, _BINDING) for n in range(count)]
    return (_DEFINITIONS + "".join(items) + "</definitions>").encode()


def _inside(target: str, before: str, unit: str, after: str) -> Attack:
    """A sample of target, filled up with unit between before and after."""
    sample = SAMPLES[target][0].decode()
    start, found, end = sample.partition(before)
    assert found and after in end
    return lambda: filled(start + found, unit, end)


_BY_TARGET: dict[str, dict[str, Attack]] = {
    "mex": {"many policies and bindings": _many_policies_and_bindings},
    "assertion": {
        "4 MiB of elements in it": _inside("assertion", "<a:Empty/>", "<a:b/>", "</a:Assertion>"),
        "4 MiB of prefixes to declare": _inside("assertion", 'PrefixList="', "x y z ", '"'),
        "4 MiB of text in it": _inside("assertion", "&amp;", "&#10;", "</a:Assertion>"),
        "an assertion in each other": _inside(
            "assertion", "<a:Empty/>", "<a:Assertion/>", "</a:Assertion>"
        ),
    },
    "fault": {
        "4 MiB of reasons": _inside("fault", "<s:Reason>", "<s:Text>a</s:Text>", "</s:Reason>"),
        "4 MiB of a reason": _inside("fault", "MSIS7068: ", "a b  ", "</s:Text>"),
        "4 MiB of the password": _inside("fault", "MSIS7068: ", "the password ", "</s:Text>"),
    },
    "token-error": {
        "4 MiB of spaces in it": _inside("token-error", "AADSTS50126: ", " ", '"'),
        "4 MiB of numbers in it": _inside("token-error", "AADSTS50126: ", "AADSTS1 ", '"'),
        "4 MiB of trace ids": _inside("token-error", "AADSTS50126: ", " Trace ID:", '"'),
        "a number of 4 MiB": _inside("token-error", "AADSTS", "9", '"'),
    },
    "token": {
        "a token of 4 MiB": _inside("token", "a.e30.", "c", '"'),
        "4 MiB of =": _inside("token", "a.e30.c", "=", '"'),
        "4 MiB of = and more": _inside("token", "a.e30.c", "=", '="'.replace("=", "")),
    },
    "skeleton": {
        "aliases that are deep when written": lambda: (
            "users: [{name: u, user: {token: t, x: [&x0 [a]"
            + "".join(f", &x{n} [*x{n - 1}]" for n in range(1, 2000))
            + "]}}]\ncontexts: [{name: c, context: {cluster: s, user: u}}]\n"
            "clusters: [{name: s, cluster: {server: 'https://s', x: *x1999}}]\n"
        ).encode(),
    },
    "resource-manager": {
        "a kubeconfig of 4 MiB": _inside("resource-manager", "YTogMQo", "AAAA", '="'),
        "half of base64": lambda: b'{"kubeconfigs": [{"value": "QQ"}]}',
        "no base64": lambda: '{"kubeconfigs": [{"value": "é!"}]}'.encode(),
    },
    "logout": {
        "NUL in the token file": lambda: SAMPLES["logout"][0].replace(b"cache/", b"ca\\u0000che/"),
    },
    "token-file": {
        f"{line}: {name}": _token_file(**{line: value})
        for line in ("until", "renewal", "expiry", "stored", "profile", "token", "end", "magic")
        for name, value in _NUMBERS.items()
    },
    "refresh-file": {
        "not ASCII": lambda: b"aks-noninteractive refresh 1\nplain\n\xe9\n",
        "an unknown kind": lambda: b"aks-noninteractive refresh 1\nx\na\n",
    },
    "plugin-arguments": {
        **{
            f"{option} {value}": partial(str.encode, f"--login=managed\n{option}{value}")
            for option in ("--login", "--legacy", "--provider-option", "--username", "--", "-")
            for value in (
                "",
                "=",
                "=--",
                "=-x",
                "\n--",
                "\n-x",
                "\n-1",
                "=-",
                "\n",
                "=a b",
                "\n--a b",
            )
        },
        "100,000 options": lambda: b"--login\nmanaged\n" + b"--provider-option\na=b\n" * DEEP,
        "100,000 flags": lambda: b"--login\nmanaged\n" + b"--legacy\n" * DEEP,
        "100,000 unknown words": lambda: b"--login\nmanaged\n" + b"x\n-x\n" * DEEP,
        "not UTF-8": lambda: b"--login\nmanaged\n--username\n\xff",
    },
}
