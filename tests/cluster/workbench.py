"""What a test does on the bed: NodePools, pods, waiting for what Karpenter says and makes."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pytest

from tests.cluster.api import Api, ApiError, KubeObject, wait_for
from tests.cluster.bed import Bed

SECONDS: Final = 60.0
"""How long a test waits for something that takes a moment on an idle machine."""
TRAINER: Final = "trainer.kubeflow.org/v1alpha1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workbench:
    bed: Bed
    namespace: str

    @property
    def api(self) -> Api:
        return self.bed.admin

    def create_object(self, manifest: KubeObject) -> KubeObject:
        """As `create`, in this bench's namespace where the kind has namespaces (the manifest then has an empty one)."""
        metadata = manifest["metadata"]
        if "namespace" in metadata:
            manifest = {**manifest, "metadata": {**metadata, "namespace": self.namespace}}
        return self.api.create(manifest)

    def set_up(self) -> None:
        """Fails if an earlier test left a pod without a node: it would get one from this test's pools."""
        wait_for("no pod of an earlier test to wait for a node", lambda: not self._without_node(), seconds=SECONDS)
        self.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}})
        wait_for(
            "default service account",
            lambda: self.api.find("v1", "ServiceAccount", "default", self.namespace),
            seconds=SECONDS,
        )

    def _without_node(self) -> list[KubeObject]:
        return self.api.list("v1", "Pod", fieldSelector="spec.nodeName=")

    def clean_up(self) -> None:
        """Pods first, and until they are really gone: a pod left Pending would get a node from the next test's pool."""
        self.delete_owners()
        self.api.request("DELETE", f"/api/v1/namespaces/{self.namespace}/pods", query={"gracePeriodSeconds": "0"})
        wait_for("pods to go", lambda: not self.api.list("v1", "Pod", self.namespace), seconds=SECONDS)
        for pool in self.api.list("karpenter.sh/v1", "NodePool"):
            self.api.delete("karpenter.sh/v1", "NodePool", pool["metadata"]["name"])
        self.api.delete("v1", "Namespace", self.namespace, propagationPolicy="Background")
        for api_version, kind in (("v1", "PersistentVolume"), ("storage.k8s.io/v1", "StorageClass")):
            self._remove_at_once(api_version, kind)
        self._remove_at_once("karpenter.kwok.sh/v1alpha1", "KWOKNodeClass", fieldSelector="metadata.name!=default")
        self.remove_nodes()

    def remove_nodes(self) -> None:
        """Every node of Karpenter's, at once."""
        self._remove_at_once("karpenter.sh/v1", "NodeClaim")
        self._remove_at_once("v1", "Node", labelSelector="karpenter.sh/nodepool")
        wait_for(
            "NodeClaims and nodes of Karpenter to go",
            lambda: (
                not self.api.list("karpenter.sh/v1", "NodeClaim")
                and not self.api.list("v1", "Node", labelSelector="karpenter.sh/nodepool")
            ),
            seconds=SECONDS,
        )

    def delete_owners(self) -> None:
        """What would make pods again goes before them, from the top of the chain."""
        kinds = ("TrainJob", "CronJob", "Job", "Deployment", "StatefulSet")
        for api_version, kind in zip((TRAINER, "batch/v1", "batch/v1", "apps/v1", "apps/v1"), kinds, strict=True):
            for found in self.api.list(api_version, kind, self.namespace):
                name = found["metadata"]["name"]
                # a Job would leave its pods (pkg/registry/batch/job/strategy.go, DefaultGarbageCollectionPolicy)
                self.api.delete(api_version, kind, name, self.namespace, propagationPolicy="Background")
        wait_for(
            "replica sets, jobs and their pods to go",
            lambda: (
                not self.api.list("apps/v1", "ReplicaSet", self.namespace)
                and not self.api.list("batch/v1", "Job", self.namespace)
                and not any("ownerReferences" in p["metadata"] for p in self.api.list("v1", "Pod", self.namespace))
            ),
            seconds=SECONDS,
        )

    def _remove_at_once(self, api_version: str, kind: str, **query: str) -> None:
        """Deletes without Karpenter's finalizer: its orderly drain of an empty node takes six seconds a test."""
        for found in self.api.list(api_version, kind, **query):
            name = found["metadata"]["name"]
            self.api.delete(api_version, kind, name)
            try:
                self.api.patch(api_version, kind, name, {"metadata": {"finalizers": None}})
            except ApiError as error:
                if error.status != 404:
                    raise

    def create_node_pool(self, name: str, requirements: list[KubeObject], **spec: object) -> KubeObject:
        return self.api.create(node_pool(name, requirements, **spec))

    def create_pod(self, name: str, resources: Mapping[str, str], **spec: object) -> KubeObject:
        return self.api.create(pod(name, self.namespace, resources, **spec))

    def create_deployment(
        self, name: str, resources: Mapping[str, str], replicas: int = 1, /, **spec: object
    ) -> KubeObject:
        """Such pods, made by the real controllers: a Deployment's template can be patched, a bare pod cannot."""
        template = pod(name, self.namespace, resources, **{"restartPolicy": "Always", **spec})
        labels = {"app": name}
        return self.api.create(
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": name, "namespace": self.namespace},
                "spec": {
                    "replicas": replicas,
                    "strategy": {"type": "Recreate"},
                    "selector": {"matchLabels": labels},
                    "template": {"metadata": {"labels": labels}, "spec": template["spec"]},
                },
            }
        )

    def run_now(self, cron_job: KubeObject, name: str) -> KubeObject:
        """As `kubectl create job NAME --from=cronjob/...`."""
        owner = {"apiVersion": "batch/v1", "kind": "CronJob", "controller": True}
        owner |= {key: cron_job["metadata"][key] for key in ("name", "uid")}
        metadata = {"name": name, "namespace": self.namespace, "ownerReferences": [owner]}
        spec = cron_job["spec"]["jobTemplate"]["spec"]
        return self.api.create({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec})

    def pending_pod_of(self, app: str) -> str:
        """Waits for the pending pod with the label `app` and returns its name."""
        found = wait_for(f"pod of {app}", lambda: self.pods_of(app, "Pending"), seconds=SECONDS)
        assert isinstance(found, list)
        return str(found[0]["metadata"]["name"])

    def running_pod_of(self, app: str, *, other_than: str = "") -> KubeObject:
        """Waits until a pod with the label `app` runs (and is not the one of that name) and returns it."""

        def running() -> list[KubeObject]:
            return [each for each in self.pods_of(app, "Running") if each["metadata"]["name"] != other_than]

        found = wait_for(f"{app} to run", running, seconds=SECONDS)
        assert isinstance(found, list)
        return dict(found[0])

    def node_of(self, app: str) -> KubeObject:
        """Waits until the pod with the label `app` runs and returns its node."""
        return self.api.get("v1", "Node", self.running_pod_of(app)["spec"]["nodeName"])

    def pods_of(self, app: str, phase: str = "") -> list[KubeObject]:
        """The pods with the label `app` that are not being deleted, of that phase if one is given."""
        pods = self.api.list("v1", "Pod", self.namespace, labelSelector=f"app={app}")
        living = (each for each in pods if "deletionTimestamp" not in each["metadata"])
        return [each for each in living if phase in ("", each["status"].get("phase"))]

    def apply_remedy(self, remedy: KubeObject, *, dry_run: str = "") -> KubeObject:
        """What `kubectl patch` would do with the bot's answer: its patch, of its type, on its target."""
        target = remedy["target"]
        return self.api.patch(
            target["apiVersion"],
            target["kind"],
            target["name"],
            remedy["patch"],
            namespace=target["namespace"],
            patch_type=remedy["patchType"],
            dry_run=dry_run,
        )

    def pending_pods(self, count: int) -> list[str]:
        """Waits until the namespace has so many pending pods and returns their names."""

        def pending() -> list[str]:
            found = self.api.list("v1", "Pod", self.namespace, fieldSelector="status.phase=Pending")
            return [str(each["metadata"]["name"]) for each in found] if len(found) == count else []

        found = wait_for(f"{count} pending pods", pending, seconds=SECONDS)
        assert isinstance(found, list)
        return found

    def refusal(self, name: str) -> str:
        """The error of Karpenter's "could not schedule pod" line for this pod, read through the API server."""
        found = wait_for(f"Karpenter's refusal of {name}", lambda: self._refusal_now(name), seconds=SECONDS)
        return str(found)

    def logged(self, words: str, since: str) -> str:
        """Waits for a line of Karpenter's with these words, not older than `since` (RFC 3339), and returns it."""

        def line() -> str:
            lines = self.bed.karpenter_log(sinceTime=since).splitlines()
            return next((each for each in lines if words in each), "")

        return str(wait_for(f"Karpenter to log {words!r}", line, seconds=SECONDS))

    def _refusal_now(self, name: str) -> str:
        for line in reversed(self.bed.karpenter_log().splitlines()):
            if self.namespace in line and "could not schedule pod" in line:
                entry = json.loads(line)
                if entry["Pod"] == {"name": name, "namespace": self.namespace}:
                    return str(entry["error"])
        return ""

    def bound_node(self, name: str) -> KubeObject:
        """Waits until the pod runs on a node, and returns that node."""
        found = wait_for(f"pod {name} to run", lambda: self._running(name), seconds=SECONDS)
        assert isinstance(found, dict)
        return self.api.get("v1", "Node", found["spec"]["nodeName"])

    def initialized_claim(self) -> KubeObject:
        """Waits until the one NodeClaim is Initialized (node joined, resources registered) and returns it."""
        return self._claim_that_is("Initialized")

    def launched_claim(self) -> KubeObject:
        """Waits until the one NodeClaim is Launched and returns it."""
        return self._claim_that_is("Launched")

    def _claim_that_is(self, condition: str) -> KubeObject:
        def found_now() -> KubeObject | None:
            for claim in self.api.list("karpenter.sh/v1", "NodeClaim"):
                conditions = {c["type"]: c["status"] for c in claim.get("status", {}).get("conditions", [])}
                if conditions.get(condition) == "True":
                    return claim
            return None

        found = wait_for(f"the NodeClaim to be {condition}", found_now, seconds=SECONDS)
        assert isinstance(found, dict)
        return found

    def _running(self, name: str) -> KubeObject | None:
        found = self.api.get("v1", "Pod", name, self.namespace)
        return found if found["status"].get("phase") == "Running" else None

    def refused(self, manifest: KubeObject) -> str:
        """The API server's message when it refuses to create this; fails when it does not."""
        with pytest.raises(ApiError) as refused:
            self.api.create(manifest)
        assert refused.value.status == 422, refused.value
        return refused.value.message


def now() -> str:
    """RFC 3339, as `sinceTime` of a log wants it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def requirement(key: str, operator: str, *values: str) -> KubeObject:
    return {"key": key, "operator": operator, **({"values": list(values)} if values else {})}


def node_pool(name: str, requirements: list[KubeObject], **spec: object) -> KubeObject:
    """A NodePool on a KWOKNodeClass; `spec` is merged into `.spec` (`taints=` and `node_class=` go into its template)."""
    template_spec: KubeObject = {
        "nodeClassRef": {
            "group": "karpenter.kwok.sh",
            "kind": "KWOKNodeClass",
            "name": spec.pop("node_class", "default"),
        },
        "requirements": requirements,
        "expireAfter": "Never",
    }
    if "taints" in spec:
        template_spec["taints"] = spec.pop("taints")
    return {
        "apiVersion": "karpenter.sh/v1",
        "kind": "NodePool",
        "metadata": {"name": name},
        "spec": {
            "template": {"spec": template_spec},
            "disruption": {"consolidationPolicy": "WhenEmpty", "consolidateAfter": "Never"},
            **spec,
        },
    }


def pod(name: str, namespace: str, resources: Mapping[str, str], **spec: object) -> KubeObject:
    """A one-container pod that asks for `resources` (as requests and limits alike); `spec` is merged into `.spec`."""
    container = {
        "name": "trainer",
        "image": "example.com/trainer:1",
        "resources": {"requests": dict(resources), "limits": dict(resources)},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"restartPolicy": "Never", "terminationGracePeriodSeconds": 0, "containers": [container], **spec},
    }
