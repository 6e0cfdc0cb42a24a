"""A managed cluster: how its kubeconfig looks, where its API server is, what runs on it."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..directory import SUBSCRIPTION
from .store import Store

SKELETONS = ("exec", "azure", "local")


@dataclass(frozen=True)
class Cluster:
    """A managed cluster, as add_cluster made it.

    `skeleton` is its kubeconfig's own shape; `legacy` means the audience `spn:<server_id>`.
    """

    name: str
    resource_group: str
    skeleton: str
    legacy: bool
    pop: bool
    tenant: str
    server_id: str
    client_id: str
    environment: str
    server: str
    ca: bytes
    client_certificate: tuple[bytes, bytes] = field(repr=False)
    store: Store = field(repr=False)

    @property
    def resource_id(self) -> str:
        """The ARM id."""
        return (
            f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{self.resource_group}"
            f"/providers/Microsoft.ContainerService/managedClusters/{self.name}"
        )

    @property
    def audience(self) -> str:
        """The audience that its API server accepts: this one only."""
        return f"spn:{self.server_id}" if self.legacy else self.server_id

    def add_pod(self, name: str, namespace: str = "default") -> None:
        """Create a running pod; watches see it."""
        self.store.add_pod(name, namespace)

    def delete_pod(self, name: str, namespace: str = "default") -> None:
        """Delete a pod; watches see it."""
        self.store.delete_pod(name, namespace)
