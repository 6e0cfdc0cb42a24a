"""What a kubeconfig looks like after a login, and which logins are refused."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from aks_noninteractive.errors import KubeconfigError
from aks_noninteractive.exec_plugin.entry import PluginEntry, exec_user
from aks_noninteractive.kubeconfig.document import dump, load
from aks_noninteractive.kubeconfig.merge import ClusterEntries, entries_for, identity_of, merge
from aks_noninteractive.kubeconfig.skeleton import parse_skeleton
from unit.kubeconfig.samples import (
    ANOTHER_SERVER,
    AUTH_PROVIDER_CONFIG,
    CERTIFICATE,
    CLIENT_ID,
    KUBECONFIGS,
    KUBELOGIN,
    SERVER,
    SERVER_ID,
    TENANT_ID,
    document,
    skeleton_text,
    token_of,
)

ALICE = {"token": token_of("alice")}
BOB = {"token": token_of("bob")}
USER = "clusterUser_rg_shop"


def _login(user_fields: dict[str, Any] = ALICE, context: str | None = None) -> ClusterEntries:
    return entries_for(parse_skeleton(skeleton_text(KUBELOGIN)), user_fields, context)


def _entry(kubeconfig: dict[str, Any], kind: str, name: str) -> Any:
    """The content of the only entry of that name."""
    (entry,) = (entry for entry in kubeconfig[f"{kind}s"] if _is_named(entry, name))
    return entry[kind]


def _is_named(entry: Any, name: str) -> bool:
    return isinstance(entry, dict) and entry.get("name") == name


def _and_context(kubeconfig: dict[str, Any], server: str = SERVER) -> dict[str, Any]:
    """kubeconfig and in it another context, of a cluster at server, with the same user entry."""
    other = document(context="mine", cluster="mine", server=server)
    return {
        **kubeconfig,
        "clusters": kubeconfig["clusters"] + other["clusters"],
        "contexts": kubeconfig["contexts"] + other["contexts"],
    }


def test_a_new_kubeconfig_holds_the_cluster_and_nothing_else() -> None:
    expected = f"""\
apiVersion: v1
kind: Config
clusters:
- name: shop
  cluster:
    server: {SERVER}
contexts:
- name: shop
  context:
    cluster: shop
    user: {USER}
users:
- name: {USER}
  user:
    token: t
current-context: shop
"""
    assert dump(merge({}, _login({"token": "t"}))) == expected


def test_what_was_there_stays_in_its_order_before_and_behind() -> None:
    existing = load("""\
clusters:
- {cluster: {server: 'https://a'}, name: a}
- {cluster: {server: 'https://z'}, name: z}
apiVersion: v1
extensions: [{name: x, extension: 1e3}]
users: [{name: a, user: {password: secret, unknown: 0123}}]
contexts: [{name: a, context: {cluster: a, user: a, namespace: web}}]
current-context: a
kind: Config
preferences: {colors: true}
""")
    merged = merge(existing, _login())
    assert list(merged) == list(existing)
    assert merged["current-context"] == "shop"
    for section in ("clusters", "contexts", "users"):
        assert merged[section][:-1] == existing[section]
    for key in ("apiVersion", "extensions", "kind", "preferences"):
        assert merged[key] == existing[key]


def test_the_same_server_is_refreshed_in_place() -> None:
    existing = merge(document(context="other", cluster="o", user="o"), _login({"token": "old"}))
    existing = merge(existing, _login({"token": "new"}))
    again = merge(existing, _login(BOB))
    assert _entry(again, "user", USER) == BOB
    assert {**again, "users": None} == {**existing, "users": None}
    assert [user["name"] for user in again["users"]] == ["o", USER]


@pytest.mark.parametrize("server", [SERVER, SERVER.upper(), f"{SERVER}/"])
def test_a_refresh_keeps_what_a_person_added(server: str) -> None:
    existing = document(
        server=server,
        cluster_fields={"proxy-url": "http://proxy", "extensions": [{"name": "x"}]},
        context_fields={"namespace": "web", "unknown": "0123"},
    )
    existing["users"][0]["unknown"] = "kept"
    merged = merge(existing, _login())
    assert _entry(merged, "cluster", "shop") == {
        "server": SERVER,
        "proxy-url": "http://proxy",
        "extensions": [{"name": "x"}],
    }
    assert _entry(merged, "context", "shop") == {
        "cluster": "shop",
        "user": USER,
        "namespace": "web",
        "unknown": "0123",
    }
    assert merged["users"] == [{"name": USER, "user": ALICE, "unknown": "kept"}]


@pytest.mark.parametrize(
    "trust",
    [
        {"insecure-skip-tls-verify": "true"},
        {"certificate-authority": "/etc/ca.crt"},
        {"certificate-authority-data": "T0xE"},
    ],
)
def test_a_refresh_brings_the_servers_own_certificate_authority(trust: dict[str, str]) -> None:
    fresh = document(cluster_fields={"certificate-authority-data": "TkVX"}, user_fields=KUBELOGIN)
    login = entries_for(parse_skeleton(dump(fresh)), ALICE, None)
    merged = merge(document(cluster_fields=trust), login)
    assert _entry(merged, "cluster", "shop") == {
        "server": SERVER,
        "certificate-authority-data": "TkVX",
    }


@pytest.mark.parametrize(
    ("existing", "kind"),
    [
        (document(server=ANOTHER_SERVER), "cluster"),
        (document(server=ANOTHER_SERVER, context="mine", user="mine"), "cluster"),
        (document(server=ANOTHER_SERVER, cluster="theirs", user="theirs"), "context"),
        (document(server=SERVER.replace(":443", ":444")), "cluster"),
    ],
)
def test_refuses_another_server_under_the_same_name(existing: dict[str, Any], kind: str) -> None:
    with pytest.raises(KubeconfigError, match=f"the {kind} 'shop' is there already") as raised:
        merge(existing, _login())
    assert existing["clusters"][0]["cluster"]["server"] in str(raised.value)
    assert SERVER in str(raised.value)
    assert "--overwrite-existing" in raised.value.remedy and "--context" in raised.value.remedy


def test_refuses_a_cluster_of_the_same_name_without_a_server() -> None:
    with pytest.raises(KubeconfigError, match="for another server: none"):
        merge({"clusters": [{"name": "shop", "cluster": {"server": None}}]}, _login())


def test_overwrite_existing_takes_the_name_and_leaves_nothing_of_the_other_server() -> None:
    existing = document(
        server=ANOTHER_SERVER,
        cluster_fields={"proxy-url": "http://proxy"},
        context_fields={"namespace": "web"},
    )
    merged = merge(existing, _login(), overwrite_existing=True)
    assert _entry(merged, "cluster", "shop") == {"server": SERVER}
    assert _entry(merged, "context", "shop") == {"cluster": "shop", "user": USER}
    assert _entry(merged, "user", USER) == ALICE


def test_a_context_may_move_to_our_cluster_and_user_of_the_same_server() -> None:
    existing = document(cluster="s", user="s", context_fields={"namespace": "web"}, user_fields=BOB)
    merged = merge(existing, _login())
    assert _entry(merged, "context", "shop") == {
        "cluster": "shop",
        "user": USER,
        "namespace": "web",
    }
    assert _entry(merged, "user", "s") == BOB


def test_two_identities_live_side_by_side_under_names_of_their_own() -> None:
    both = merge(merge({}, _login(ALICE, "alice")), _login(BOB, "bob"))
    both = merge(both, _login({"token": "new"}, "alice"))
    for name, user in (("alice", {"token": "new"}), ("bob", BOB)):
        assert _entry(both, "cluster", name) == {"server": SERVER}
        assert _entry(both, "context", name) == {"cluster": name, "user": name}
        assert _entry(both, "user", name) == user
    assert both["current-context"] == "alice"


def test_the_context_option_gets_round_a_name_of_another_server() -> None:
    existing = document(server=ANOTHER_SERVER, user_fields=BOB)
    merged = merge(existing, _login(ALICE, "two"))
    assert [_entry(merged, "cluster", name)["server"] for name in ("shop", "two")] == [
        ANOTHER_SERVER,
        SERVER,
    ]
    assert _entry(merged, "user", USER) == BOB


def _azure(token: str) -> dict[str, Any]:
    config = {**AUTH_PROVIDER_CONFIG, "access-token": token}
    return {"auth-provider": {"name": "azure", "config": config}}


def _plugin(username: str, renewal: str = "") -> dict[str, Any]:
    entry = PluginEntry("managed", TENANT_ID, SERVER_ID, CLIENT_ID, username, renewal=renewal)
    return exec_user(entry, Path("/tokens/1.json"), "aks_noninteractive")


def _guest(oid: str) -> dict[str, Any]:
    """A user's token without a upn; appid is of the client that all users sign in with."""
    return {"token": token_of(oid, appid=CLIENT_ID, scp="user.read")}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (ALICE, {"token": token_of("alice", iat=2)}),
        (_plugin("zoe@shop.example"), _plugin("zoe@shop.example", renewal="another command")),
        (_plugin("zoe@shop.example"), {"token": token_of("1", upn="Zoe@shop.example")}),
        ({"token": token_of("1", upn="Zoe@shop.example")}, _plugin("zoe@shop.example")),
        (_azure(token_of("alice")), _azure(token_of("alice", iat=2))),
        (_azure(token_of("alice")), ALICE),
        (CERTIFICATE, {**CERTIFICATE, "client-certificate-data": "UkVORVdFRA=="}),
        ({"token": "opaque"}, {"token": "opaque"}),
    ],
)
def test_a_user_entry_of_another_context_is_refreshed_for_the_same_identity(
    old: dict[str, Any], new: dict[str, Any]
) -> None:
    merged = merge(_and_context(document(user_fields=old)), _login(new))
    assert _entry(merged, "user", USER) == new


@pytest.mark.parametrize(
    ("old", "new", "other_server"),
    [
        (ALICE, BOB, SERVER),
        (_guest("alice"), _guest("bob"), SERVER),
        (_plugin("zoe@shop.example"), _plugin("amy@shop.example"), SERVER),
        (_plugin("zoe@shop.example"), _plugin("zoe@shop.example"), ANOTHER_SERVER),
        (_plugin("zoe@shop.example"), {"token": token_of("1", upn="amy@shop.example")}, SERVER),
        (ALICE, {"token": token_of("alice", tid="other")}, SERVER),
        (ALICE, {"token": token_of("alice", iat=2)}, ANOTHER_SERVER),
        (ALICE, ALICE, ANOTHER_SERVER),
        (_azure(token_of("alice")), _azure(token_of("bob")), SERVER),
        ({"token": "opaque-1"}, {"token": "opaque-2"}, SERVER),
        ({"token": "a.%.c"}, {"token": "a.%.d"}, SERVER),
        (KUBELOGIN, ALICE, SERVER),
        (CERTIFICATE, ALICE, SERVER),
        ({}, ALICE, SERVER),
    ],
)
def test_a_user_entry_of_another_context_never_becomes_another_identity(
    old: dict[str, Any], new: dict[str, Any], other_server: str
) -> None:
    existing = _and_context(document(user_fields=old), other_server)
    for overwrite in (False, True):
        with pytest.raises(KubeconfigError, match=f"'mine' uses the user '{USER}'") as raised:
            merge(existing, _login(new), overwrite_existing=overwrite)
        assert "--context" in raised.value.remedy
        for user in (old, new):
            assert str(user.get("token", "no token")) not in str(raised.value)


@pytest.mark.parametrize("name", ["clusters", "contexts", "users"])
@pytest.mark.parametrize("section", [{}, "shop", {"name": "shop"}])
def test_refuses_a_section_that_is_no_list(name: str, section: object) -> None:
    with pytest.raises(KubeconfigError, match=f"its {name} are not a list"):
        merge({name: section}, _login())


def test_an_empty_section_is_filled() -> None:
    existing: dict[str, Any] = {
        "users": None,
        "clusters": None,
        "contexts": [],
        "current-context": None,
    }
    merged = merge(existing, _login())
    assert _entry(merged, "user", USER) == ALICE
    assert merged["current-context"] == "shop"


def test_entries_that_are_none_stay_where_they_are() -> None:
    odd: list[Any] = [
        None,
        "shop",
        ["shop"],
        {},
        {"name": None},
        {"name": ["shop"]},
        {"cluster": {}},
    ]
    merged = merge({"clusters": odd, "contexts": odd, "users": odd}, _login())
    for section in ("clusters", "contexts", "users"):
        assert merged[section][:-1] == odd


@pytest.mark.parametrize("name", ["shop", "other"])
@pytest.mark.parametrize("odd", [None, ["x"], {"x": "y"}])
def test_a_context_may_name_anything_as_its_cluster_and_user(name: str, odd: object) -> None:
    existing = document(user_fields=BOB)
    existing["contexts"] = [{"name": name, "context": {"cluster": odd, "user": odd}}]
    assert _entry(merge(existing, _login()), "user", USER) == ALICE


def test_a_second_entry_of_our_name_which_kubectl_refuses_to_load_goes() -> None:
    twice = document()["clusters"] * 2
    assert len(merge({"clusters": twice}, _login())["clusters"]) == 1


@pytest.mark.parametrize(
    "token",
    ["", "a", "a.b", "a.!!.c", "a.W10.c", "a.e30.c", "a.ü.c", f"a.{'W1tb' * 5000}.c"],
)
def test_a_token_that_is_no_jwt_tells_nobodys_identity(token: str) -> None:
    assert identity_of({"token": token}) is None


@given(KUBECONFIGS, st.booleans(), st.none() | st.just("other"))
def test_whatever_is_not_ours_stays_as_it_was(
    existing: dict[str, Any], overwrite: bool, context: str | None
) -> None:
    login = _login(ALICE, context)
    before = copy.deepcopy(existing)
    try:
        merged = merge(existing, login, overwrite_existing=overwrite)
    except KubeconfigError:
        assume(False)
    finally:
        assert existing == before
    assert [key for key in merged if key in existing] == list(existing)
    ours = {"clusters": login.cluster, "contexts": login.context, "users": login.user}
    for key, value in existing.items():
        if key in ours:
            assert _without(merged[key], ours[key]) == _without(value, ours[key])
        elif key != "current-context":
            assert merged[key] == value
    assert _entry(merged, "user", login.user) == ALICE
    assert _entry(merged, "cluster", login.cluster)["server"] == SERVER
    assert merged["current-context"] == login.context


def _without(entries: list[Any] | None, name: str) -> list[Any]:
    return [entry for entry in entries or [] if not _is_named(entry, name)]
