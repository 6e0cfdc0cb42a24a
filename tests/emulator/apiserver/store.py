"""What runs on a cluster: its objects and the events that watches follow."""

from __future__ import annotations

import copy
import itertools
import threading
import uuid
from dataclasses import dataclass
from typing import Any

from ..clock import Clock, iso

KubernetesObject = dict[str, Any]
NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
NODE = "aks-nodepool1-00000000-vmss000000"


@dataclass(frozen=True)
class Event:
    """A change: ADDED or DELETED."""

    version: int
    kind: str
    resource: str
    body: KubernetesObject


class Store:
    """The objects of one cluster, by resource (`pods`, `namespaces`, ...)."""

    def __init__(self, clock: Clock) -> None:
        self.events: list[Event] = []
        self._clock = clock
        self._lock = threading.Lock()
        self._versions = itertools.count(1000)
        self._objects: dict[str, list[KubernetesObject]] = {}
        self.version = 1000
        for namespace in NAMESPACES:
            self._add("namespaces", namespace, None, {}, {"phase": "Active"})
        self._add("nodes", NODE, None, {}, _NODE_STATUS)
        self.add_pod("coredns-0", "kube-system")
        self.add_pod("web-0", "default")

    def list(self, resource: str, namespace: str | None = None) -> list[KubernetesObject]:
        """The objects of a resource, of one namespace or of all."""
        with self._lock:
            return [
                body
                for body in self._objects.get(resource, [])
                if namespace is None or body["metadata"].get("namespace") == namespace
            ]

    def add_pod(self, name: str, namespace: str) -> None:
        """Create a running pod."""
        container = {"name": "main", "image": "registry.example/app:1"}
        spec = {"nodeName": NODE, "containers": [container]}
        state = {"running": {"startedAt": self._now()}}
        status = {
            "phase": "Running",
            "podIP": "10.244.0.10",
            "containerStatuses": [
                {
                    "name": "main",
                    "image": container["image"],
                    "imageID": "",
                    "ready": True,
                    "restartCount": 0,
                    "state": state,
                }
            ],
        }
        self._add("pods", name, namespace, spec, status)

    def delete_pod(self, name: str, namespace: str) -> None:
        """Delete a pod; KeyError if there is none."""
        with self._lock:
            pods = self._objects["pods"]
            for pod in pods:
                metadata = pod["metadata"]
                if (metadata["name"], metadata["namespace"]) == (name, namespace):
                    pods.remove(pod)
                    self._append("DELETED", "pods", copy.deepcopy(pod))
                    return
        raise KeyError(name)

    def _now(self) -> str:
        return iso(self._clock.now())[:19] + "Z"

    def _add(
        self,
        resource: str,
        name: str,
        namespace: str | None,
        spec: dict[str, Any],
        status: dict[str, Any],
    ) -> None:
        metadata = {
            "name": name,
            **({"namespace": namespace} if namespace else {}),
            "uid": str(uuid.uuid4()),
            "creationTimestamp": self._now(),
            "labels": {"kubernetes.io/metadata.name": name},
        }
        body = {"metadata": metadata, "spec": spec, "status": status}
        with self._lock:
            self._objects.setdefault(resource, []).append(body)
            self._append("ADDED", resource, body)

    def _append(self, kind: str, resource: str, body: KubernetesObject) -> None:
        self.version = next(self._versions)
        body["metadata"]["resourceVersion"] = str(self.version)
        self.events.append(Event(self.version, kind, resource, body))


_NODE_STATUS = {
    "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
    "nodeInfo": {
        "kubeletVersion": "v1.33.1",
        "osImage": "Ubuntu 22.04.5 LTS",
        "kernelVersion": "5.15.0-1088-azure",
        "containerRuntimeVersion": "containerd://1.7.27",
        "architecture": "amd64",
        "operatingSystem": "linux",
        "bootID": "",
        "kubeProxyVersion": "v1.33.1",
        "machineID": "",
        "systemUUID": "",
    },
}
