"""Words of the languages that targets read, for libFuzzer and for the property tests."""

from __future__ import annotations

import re

from hostile.samples import SAMPLES
from hostile.targets import TARGETS

_WORDS = {
    "json": r"""
        { } [ ] , : " ":" \ null true false NaN Infinity -1 1e999 0.5 \ud800 \u0000 \u001b
        AADSTS50076 AADSTS99999
    """.split()  # noqa: SIM905
    + ["9" * 400, "[" * 200, '{"a":' * 200, "\0"],
    "xml": """
        < > </ /> & " = : <? ?> <!-- --> <![CDATA[ ]]> ]> &amp; &#0; &#xD800; &lt; &x;
        xmlns:a="u" xmlns=""
    """.split()  # noqa: SIM905
    + [
        *("<!DOCTYPE a [", '<!ENTITY x "y">', 'SYSTEM "file:///etc/passwd"', "<a>" * 250, "\0"),
        '<?xml version="1.0" encoding="utf-16"?>',
        '<i:include xmlns:i="http://www.w3.org/2001/XInclude" href="/etc/passwd"/>',
    ],
    "yaml": r"""
        { } [ ] , : - ? ! & * | > ' " # % @ ` << = ~ --- ... &a *a null !!str !!int !!set !!binary
        !!python/object/apply:os.system yes no 0123 1e3 1:20 2020-01-01 .nan "\x00" \ud800
    """.split()  # noqa: SIM905
    + [
        *("\n", "\n  ", "- ", "? ", ": ", "<<: *a\n", "&a [*a]", "[" * 110, "\t", "'\n\n '"),
        *("\x85", "\u2028", "\ufeff", "\0", "%YAML 1.1\n---\n"),
    ],
    "lines": ["\n", "\0", "--", "-", "=", "=--", "--login", "--legacy", "\x1b", "é", "1_0", "-1"],
}


def words(target: str) -> list[str]:
    """What may stand in an input of target: its language's own, and the words of its samples."""
    text = b" ".join(SAMPLES[target]).decode()
    own = re.findall(r"[A-Za-z][A-Za-z0-9_.:/-]{2,60}", text)
    return list(dict.fromkeys([*_WORDS[TARGETS[target].kind], *own]))


def as_libfuzzer_has_it(target: str) -> str:
    """The dictionary of a target, in libFuzzer's format."""
    quoted = (
        "".join(
            chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\x{byte:02x}"
            for byte in word.encode()
        )
        for word in words(target)
    )
    return "".join(f'"{word}"\n' for word in quoted)
