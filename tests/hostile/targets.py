"""Every parser of what strangers write: each target feeds bytes to one, just as the product does.

A target returns for what is accepted, raises one of our own errors for what is refused, and lets
everything else through: that is a crash. What has to hold for all that is accepted is asserted.
"""

from __future__ import annotations

import atexit
import io
import json
import os
import re
import tempfile
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from shutil import rmtree
from typing import Any

import requests
import urllib3
from azure.core.pipeline.transport import RequestsTransport

from aks_noninteractive.arm import ClusterCredentialClient, FunctionCredential
from aks_noninteractive.entra.http import HttpClient, HttpResponse
from aks_noninteractive.entra.mex import WsTrustEndpoint, WsTrustVersion, discover_endpoint
from aks_noninteractive.entra.realm import UserRealm, discover_user_realm
from aks_noninteractive.entra.safe_xml import XmlError, parse
from aks_noninteractive.entra.token_endpoint import (
    AccessToken,
    TokenRequest,
    password_grant,
    request_token,
    saml_grant,
    unverified_claims,
)
from aks_noninteractive.entra.wstrust import build_request, request_assertion
from aks_noninteractive.errors import AksAuthError, KubeconfigError, ResponseError, UsageError
from aks_noninteractive.exec_plugin.az_profile import find_account, read_accounts
from aks_noninteractive.exec_plugin.entry import find_entry, from_arguments
from aks_noninteractive.exec_plugin.logout import log_out
from aks_noninteractive.exec_plugin.quick_path import exec_credential, is_good, read_fields
from aks_noninteractive.exec_plugin.renew import credential_of
from aks_noninteractive.exec_plugin.token_cache import StoredToken, TokenFiles
from aks_noninteractive.kubeconfig import formats
from aks_noninteractive.kubeconfig.document import DocumentError, PlainScalar, dump, load
from aks_noninteractive.kubeconfig.merge import ClusterEntries, entries_for, identity_of, merge
from aks_noninteractive.kubeconfig.skeleton import parse_skeleton

HOST = "https://server.example"
NOW = 1_790_000_000.0
ENDPOINT = WsTrustEndpoint(f"{HOST}/adfs/services/trust/13/usernamemixed", WsTrustVersion.V13)
# The longest text of an error: some hundred characters of a server's words, and ours.
MAX_ERROR = 4000
# Of larger input it is time and memory that count; what has to hold for it is not looked at.
LARGE = 100_000
CREDENTIAL = "the credential that was refused"


def feed(target: str, data: bytes) -> AksAuthError | None:
    """Give data to a target; the error that refuses it, None for what is accepted.

    Raises AssertionError for what must never be, and whatever a crash is.
    """
    try:
        TARGETS[target].parse(data)
    except AksAuthError as error:
        for text in (str(error), error.remedy):
            assert text.isprintable() and len(text) <= MAX_ERROR, "an error that no terminal is for"
        return error
    return None


class _Answering(HttpClient):
    """A network on which every server gives the same answer."""

    def __init__(self, body: bytes, status: int = 200, content_type: str = "text/xml") -> None:
        super().__init__()
        self._answer = HttpResponse("server.example", status, content_type, body)

    def get(self, *_: object, **__: object) -> HttpResponse:
        return self._answer

    def post(self, *_: object, **__: object) -> HttpResponse:
        return self._answer


def _realm(data: bytes) -> None:
    realm = discover_user_realm(_Answering(data, content_type="application/json"), HOST, "a@b.c")
    assert all(isinstance(getattr(realm, name), str) for name in UserRealm.__dataclass_fields__)
    _send_to(WsTrustEndpoint(realm.federation_active_auth_url, WsTrustVersion.V2005), realm)


def _mex(data: bytes) -> None:
    endpoint = discover_endpoint(_Answering(data), HOST)
    if endpoint is None:
        raise ResponseError("nothing that is usable")
    assert endpoint.address.lower().startswith("https://")
    _send_to(endpoint, UserRealm("Federated"))


def _send_to(endpoint: WsTrustEndpoint, realm: UserRealm) -> None:
    """What a server names ends in a request to an identity provider, which is XML."""
    moment = datetime.fromtimestamp(NOW, timezone.utc)
    envelope = build_request(endpoint, "a@b.c", "]]>&<'\"", realm.cloud_audience_urn, moment)
    # XML itself makes one line end of the three kinds.
    normal = re.sub("\r\n?", "\n", endpoint.address)
    assert normal == next(e.text or "" for e in parse(envelope).iter() if e.tag.endswith("}To"))


def _assertion(data: bytes) -> None:
    assertion = request_assertion(_Answering(data), ENDPOINT, "a@b.c", "pw", "urn:a", lambda: NOW)
    saml_grant(assertion)
    assertion.is_valid_at(NOW)
    if len(data) > LARGE:
        return
    try:
        parse(data)
    except XmlError:
        return  # the names of a prefix are wrong; the signature cannot hold
    assert parse(assertion.xml).tag == f"{{{assertion.version.value}}}Assertion"


def _fault(data: bytes) -> None:
    http = _Answering(data, 500)
    request_assertion(http, ENDPOINT, "a@b.c", "the password", "urn:a", lambda: NOW)


def _token(data: bytes, status: int = 200) -> None:
    http = _Answering(data, status, "application/json")
    request = TokenRequest("resource", "organizations", "client", for_arm=status == 400)
    grant = password_grant("a@b.c", "the password")
    token = request_token(http, HOST, request, grant, lambda: NOW)
    unverified_claims(token.token)
    user = formats.token_user(token)
    assert load(dump(user)) == user
    _is_credential(credential_of(StoredToken.of(token, NOW, b"")), token.token)


def _token_error(data: bytes) -> None:
    _token(data, 400)


def _claims(data: bytes) -> None:
    token = "e30." + urlsafe_b64encode(data).rstrip(b"=").decode("ascii") + ".c2ln"
    identity = identity_of({"token": token})
    assert identity is None or isinstance(identity, str)


class _Wire(requests.adapters.BaseAdapter):
    """The connection to Resource Manager: requests' own, with our bytes on it."""

    status = 200
    body = b""

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:  # type: ignore[override]
        raw = urllib3.HTTPResponse(
            io.BytesIO(self.body),
            {"Content-Type": "application/json", "Content-Length": str(len(self.body))},
            status=self.status,
            preload_content=False,
        )
        return requests.adapters.HTTPAdapter().build_response(request, raw)

    def close(self) -> None:
        pass


_wire = _Wire()
_session = requests.Session()
_session.mount("https://", _wire)
_arm = ClusterCredentialClient(
    FunctionCredential(lambda: AccessToken("t", int(NOW) * 2, 3600, "tenant", "client")),
    "subscription",
    HOST,
    credential_scopes=[f"{HOST}/.default"],
    transport=RequestsTransport(session=_session, session_owner=False),
)


def _resource_manager(data: bytes, status: int = 200) -> None:
    _wire.body, _wire.status = data, status
    kubeconfig = _arm.list_cluster_user_credential("group", "cluster")
    assert isinstance(kubeconfig, bytes)


def _resource_manager_error(data: bytes) -> None:
    _resource_manager(data, 404)


def _skeleton(data: bytes) -> None:
    skeleton = parse_skeleton(data)
    users: list[Mapping[str, Any]] = [skeleton.user_fields]
    if skeleton.entra:
        token = AccessToken("t.t.t", int(NOW), 3600, "tenant", "client", "refresh")
        users = [formats.token_user(token), formats.azure_user(skeleton.entra, token)]
        users += [
            formats.kubelogin_user(skeleton.entra, login, token, {})
            for login in formats.KUBELOGIN_MODES
        ]
    for user in users:
        _merges({}, entries_for(skeleton, user, None), data)


_CLUSTER = {"server": "https://shop.example:443", "certificate-authority-data": "Q0E="}
FRESH = ClusterEntries(
    "shop", "shop", "shop-user", {"cluster": "shop", "user": "shop-user"}, _CLUSTER, {"token": "t"}
)


def _kubeconfig(data: bytes) -> None:
    _merges(_load(data), FRESH, data)


def _load(data: bytes) -> dict[str, Any]:
    try:
        return load(data)
    except DocumentError as error:  # as kubeconfig/store.py has it
        raise KubeconfigError(str(error)) from None


def _merges(existing: dict[str, Any], entries: ClusterEntries, data: bytes) -> None:
    """entries can be merged into existing, and all else stays as it was, also in the file."""
    merged = merge(existing, entries, overwrite_existing=True)
    try:
        written = dump(merged)
    except DocumentError as error:
        raise KubeconfigError(str(error)) from None
    if len(data) > LARGE:
        return
    assert same(load(written), merged)
    assert same(load(dump(existing)), _load(data) if existing else {})
    assert merged["current-context"] == entries.context
    for section, name in (
        ("clusters", entries.cluster),
        ("contexts", entries.context),
        ("users", entries.user),
    ):
        old, new = (_others(items.get(section), name) for items in (existing, merged))
        assert same(old, new)
    rest = existing.keys() - {"clusters", "contexts", "users", "current-context"}
    assert all(same(merged[key], existing[key]) for key in rest)


def _others(items: Any, name: str) -> list[Any]:
    return [i for i in items or [] if not (isinstance(i, dict) and i.get("name") == name)]


def same(one: Any, other: Any, known: set[tuple[int, int]] | None = None) -> bool:
    """Whether two documents are equal, what the plain scalars are taken for included.

    known: pairs by id, so that aliases of aliases are compared once.
    """
    known = set() if known is None else known
    if (id(one), id(other)) in known:
        return True
    known.add((id(one), id(other)))
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(same(one[k], other[k], known) for k in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(lambda a, b: same(a, b, known), one, other))
    if isinstance(one, PlainScalar) and isinstance(other, PlainScalar):
        return str(one) == str(other) and one.tag == other.tag
    if isinstance(other, bool):  # ours, not yet written
        return isinstance(one, PlainScalar) and str(one) == str(other).lower()
    return type(one) in (str, PlainScalar, type(None)) and bool(one == other)


_folder = Path(tempfile.mkdtemp(prefix="aks-noninteractive-hostile-"))
atexit.register(rmtree, _folder, ignore_errors=True)


def _file(name: str, data: bytes) -> Path:
    """A file as ours are: nobody else may read it."""
    path = _folder / name
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
    return path


def _logout(data: bytes) -> None:
    document = _load(data)  # what is malformed would be read again and again
    for user in document.get("users") or []:
        found = find_entry(user.get("user")) if isinstance(user, dict) else None
        # A file that is to be removed must be one in the test's own folder.
        if found and not re.fullmatch(r"[^/.]+/[^/]+", str(found[1])):
            raise KubeconfigError("the test does not go there")
    path = _file("config", data or b"{}")
    before = os.getcwd()
    os.chdir(_folder)
    try:
        assert log_out(path, None)["forgotten"] == 0
    finally:
        os.chdir(before)


def _token_file(data: bytes) -> None:
    path = _file("0.token", data)
    fields = read_fields(str(path))
    is_good(fields)
    stored = TokenFiles(path).read()
    assert (fields is None) is (stored is None)
    if not fields or not stored:
        raise KubeconfigError("no token")
    _is_credential(exec_credential(fields[5], fields[1]), stored.token)
    _is_credential(credential_of(stored), stored.token)


def _is_credential(printed: bytes, token: str) -> None:
    credential = json.loads(printed)
    assert credential["kind"] == "ExecCredential"
    assert credential["status"]["token"] == token


def _refresh_file(data: bytes) -> None:
    token = TokenFiles(_file("0.refresh", data).with_suffix(".token")).read_refresh_token()
    if not token:
        raise KubeconfigError("no refresh token")
    assert token.isascii() and "\n" not in token


def _refusal_file(data: bytes) -> None:
    files = TokenFiles(_file("0.refused", data).with_suffix(".token"), lambda: NOW)
    refusal = files.read_refusal(CREDENTIAL)
    if refusal:
        raise refusal
    raise KubeconfigError("no refusal")


def _az_profile(data: bytes) -> None:
    _file("azureProfile.json", data)
    accounts = read_accounts(str(_folder))
    assert all(isinstance(account.tenant_id, str) for account in accounts)
    if not accounts:
        raise KubeconfigError("no account")
    assert find_account(str(_folder), accounts[-1].name, "") in accounts
    find_account(str(_folder), "somebody else", "")


def _plugin_arguments(data: bytes) -> None:
    words = os.fsdecode(data).split("\n")
    user = {"exec": {"args": ["-I", "-S", "/somewhere/quick_path.py", "/file.token", *words]}}
    try:
        entry = from_arguments(words)
    except UsageError:
        assert find_entry(user) is None
        raise
    assert find_entry(user) == (entry, Path("/file.token"))
    assert re.fullmatch("[0-9a-f]{32}", entry.file_stem)
    try:
        again = from_arguments(entry.arguments())
    except UsageError as error:
        raise AssertionError("an entry that cannot be read again") from error
    assert again == entry


@dataclass(frozen=True)
class Target:
    """A parser. kind: the language that it reads. limit: the most bytes that reach it."""

    parse: Callable[[bytes], None]
    kind: str
    limit: int = 4 * 1024 * 1024


TARGETS = {
    "realm": Target(_realm, "json"),
    "mex": Target(_mex, "xml"),
    "assertion": Target(_assertion, "xml"),
    "fault": Target(_fault, "xml"),
    "token": Target(_token, "json"),
    "token-error": Target(_token_error, "json"),
    "claims": Target(_claims, "json"),
    "resource-manager": Target(_resource_manager, "json"),
    "resource-manager-error": Target(_resource_manager_error, "json"),
    "skeleton": Target(_skeleton, "yaml"),
    "kubeconfig": Target(_kubeconfig, "yaml"),
    "logout": Target(_logout, "yaml"),
    "token-file": Target(_token_file, "lines"),
    "refresh-file": Target(_refresh_file, "lines"),
    "refusal-file": Target(_refusal_file, "json"),
    "az-profile": Target(_az_profile, "json"),
    "plugin-arguments": Target(_plugin_arguments, "lines"),
}
