"""What is read and not changed is written as it was; what cannot be kept so is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from aks_noninteractive.kubeconfig.document import MAX_DEPTH, DocumentError, dump, load
from unit.kubeconfig import processes
from unit.kubeconfig.samples import DOCUMENTS

# Strings for YAML 1.1 or not, numbers and booleans for kubectl's YAML or not.
_SURPRISES = """
    0123 0912 09 1e3 1E5 1.e3 -1e-2 1_0e3 +_1 2E_+1 0o17 0X1F 0B1 1_000 +12 12:30:45
    2020-01-01 .inf .NaN yes on Y n true
""".split()  # noqa: SIM905

_KUBECTL_WROTE = """\
apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: Q0E=
    server: https://shop:443
    x-unknown:
    - 1e3
    - '1'
    - {}
    - []
  name: shop
current-context: shop
kind: Config
preferences: {}
users:
- name: "tab\\tand\\abell"
  user: {}
"""


@pytest.mark.parametrize("text", [*_SURPRISES, "=", "<<", "name@host", "a:b", "ünï"])
def test_keeps_a_plain_scalar_as_it_stood(text: str) -> None:
    assert dump(load(f"{text}: {text}\n")) == f"{text}: {text}\n"


@pytest.mark.parametrize("text", [*_SURPRISES, "null", "~", "", "- a", "a: b", "#a", "*a", "!a"])
def test_keeps_a_quoted_string_a_string_for_kubectl_too(text: str) -> None:
    assert dump(load(f"a: '{text}'\n")) == f"a: '{text}'\n"
    assert dump({"a": text}) == f"a: '{text}'\n"


@pytest.mark.parametrize("text", ["null", "~", ""])
def test_null_stays_null(text: str) -> None:
    assert load(f"a: {text}") == {"a": None}
    assert dump({"a": None}) == "a: null\n"


def test_keeps_what_kubectl_wrote_byte_for_byte() -> None:
    assert dump(load(_KUBECTL_WROTE)) == _KUBECTL_WROTE


def test_never_breaks_a_long_line() -> None:
    long = "word " * 5000 + "end"
    assert dump({"a": long}) == f"a: {long}\n"


def test_follows_aliases() -> None:
    assert load("a: &x {b: 1e3}\nc: *x\n") == {"a": {"b": "1e3"}, "c": {"b": "1e3"}}


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "null"])
def test_an_empty_document_is_an_empty_mapping(text: str) -> None:
    assert load(text) == {}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_reads_every_encoding_that_yaml_has(encoding: str) -> None:
    assert load("name: Zoë 😀\n".encode(encoding)) == {"name": "Zoë 😀"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\nb:\n  c: 1\n  c: 2", "line 4.*'c' is there twice"),
        ("yes: 1\n'yes': 2", "line 2.*'yes' is there twice"),
        ("? [a]\n: b", "line 1.*not a string"),
        ("~: b", "line 1.*not a string"),
        ("- a", "not a mapping"),
        ("a", "not a mapping"),
        ("!!omap [a: b]", "."),
        ("a: 1\n---\nb: 2", "line 2.*another document"),
        ("a: {", r"line \d"),
        ("a: *b", "line 1.*alias"),
        ("a: \0", "not valid YAML"),
        (b"a: \xff\xfe\xfd", "not valid YAML"),
        ('a: "\\ud800"', "not valid YAML"),
        (f"a: {'[' * MAX_DEPTH}{']' * MAX_DEPTH}", f"more than {MAX_DEPTH} deep"),
    ],
)
def test_refuses_what_is_no_kubeconfig(text: str | bytes, problem: str) -> None:
    with pytest.raises(DocumentError, match=problem):
        load(text)


@pytest.mark.parametrize(
    "value",
    [
        "!local x",
        "!!python/name:os.system x",
        "!!python/object/apply:os.system [x]",
        "!!binary aGVsbG8=",
        "!!set {a, b}",
        "!!omap [a: b]",
        "!!pairs [a: b]",
        "!!set [a]",
        "!!map [a]",
        "!!map a",
        "!!bool [a]",
        "!!timestamp {a: b}",
    ],
)
def test_refuses_a_tag_that_it_could_not_write_again(value: str) -> None:
    with pytest.raises(DocumentError, match="not valid YAML"):
        load(f"a: {value}")


@pytest.mark.parametrize(
    "text", ["a: !S3cret", "a: *S3cret", "a: @S3cret", "a: b: S3cret", "a: \0S3cret", "a: [S3cret"]
)
def test_the_error_quotes_nothing_of_the_text(text: str) -> None:
    with pytest.raises(DocumentError) as raised:
        load(text)
    assert "S3cret" not in str(raised.value)


@pytest.mark.parametrize("repeated", ["[", "{a: ", "- ", "? ", "? - ", "[? "])
def test_deep_nesting_is_refused_before_it_overflows_the_stack(
    tmp_path: Path, repeated: str
) -> None:
    script = f"""\
try:
    document.load({repeated!r} * 200_000)
except document.DocumentError as error:
    print(error)
"""
    assert processes.run(script, tmp_path) == f"it is nested more than {MAX_DEPTH} deep\n"


@given(DOCUMENTS)
def test_reads_what_it_wrote(document: dict[str, object]) -> None:
    assert load(dump(document)) == document


@given(st.text("ab \n:-[]{},'\"#|>?%!0e.\\", max_size=40))
def test_writes_what_it_read(text: str) -> None:
    try:
        document = load(f"a: {text}")
    except DocumentError:
        assume(False)
    written = dump(document)
    assert load(written) == document
    assert dump(load(written)) == written


@given(st.text("0123456789abefnxXENOTZyY_+-.:=<~", min_size=1, max_size=12))
def test_keeps_the_text_of_any_plain_scalar(text: str) -> None:
    assume(not text.startswith(("...", "---")))  # these get quotes: they could end a document
    line = f"a: {text}\n"
    try:
        plain = load(line)["a"] == text
    except DocumentError:
        plain = False
    assume(plain)
    assert dump(load(line)) == line
