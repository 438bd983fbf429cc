"""The patch of each remedy in each kind of owner: the same change that the author would write, with an exact way back."""

import json
import shlex
from typing import Final

import jsonpatch
import pytest

from bot.model.kubernetes import Pod
from bot.model.objects import decode, ref_of
from bot.remediation.patches import kubectl_command, patched, plan
from tests.remediation.manifests import (
    CAPACITY_TYPE,
    CHAINS,
    EFA,
    GPU,
    INSTANCE_TYPE,
    NODE_JOB,
    Chain,
    Manifest,
    job,
    job_set_spec,
    owner,
    pod_of,
    template,
)
from tests.remediation.remedies import (
    DO_NOT_DISRUPT,
    REMEDIES,
    TOLERATION,
    affinity,
    edit,
    gpus,
    remedy,
    rewritten,
    selector,
)
from tests.remediation.scenes import accepted, applied, patch_of, scene, settled, workload


@pytest.mark.parametrize("name", REMEDIES)
@pytest.mark.parametrize("kind", CHAINS)
def test_the_patch_writes_what_the_author_would_and_undo_takes_it_back(kind: str, name: str) -> None:
    build, labels = CHAINS[kind]
    chain = build(template())
    world, pod = scene(chain, template(), labels)
    patch = patch_of(world, pod, remedy(*REMEDIES[name][0]))
    top = chain[-1]
    if patch.target.kind == "Pod":  # an owner that cannot be changed, and a change that the pod itself takes
        assert name in ("add-toleration", "add-do-not-disrupt")
        top = pod_of(template(), chain[0], labels)
        assert len(applied(patch.patch, top)["spec"]["tolerations"]) == (4 if name == "add-toleration" else 3)
        return
    assert patch.target == ref_of(workload(top))
    after = accepted(patch.patch, top)
    assert settled(after) == settled(build(rewritten(name, template()))[-1])
    assert settled(applied(patch.undo, after)) == settled(top)
    with pytest.raises(jsonpatch.JsonPatchTestFailed):
        applied(patch.patch, after)


REFUSED: Final = {
    # (kind, remedy): refusal code, or the cautions of what is applied
    ("Deployment", "reduce-resource"): ["restarts-pods"],
    ("Rollout", "drop-node-selector"): ["restarts-pods"],
    ("StatefulSet", "reduce-resource"): ["delete-pod-after"],  # OrderedReady waits for the pending pod for ever
    ("DaemonSet", "add-toleration"): ["restarts-pods"],
    ("ReplicaSet", "drop-affinity"): ["delete-pod-after"],
    ("Job", "reduce-resource"): "immutable-recreate",
    ("Job", "drop-node-selector"): "suspend-first",
    ("Job", "drop-affinity"): "suspend-first",
    ("Job", "relax-topology-spread"): "immutable-recreate",
    ("Job", "add-toleration"): ["this-pod-only"],
    ("Job", "add-do-not-disrupt"): ["this-pod-only"],
    ("CronJob", "reduce-resource"): ["next-run-only"],
    ("JobSet", "reduce-resource"): "immutable-recreate",
    ("JobSet", "drop-affinity"): "immutable-recreate",
    ("JobSet", "drop-node-selector"): "suspend-first",
    ("PyTorchJob", "reduce-resource"): ["delete-pod-after"],
    ("MPIJob", "reduce-resource"): ["delete-pod-after"],
    ("RayCluster", "reduce-resource"): ["delete-pod-after"],
    ("RayJob", "reduce-resource"): "suspend-first",
    ("RayService", "reduce-resource"): ["restarts-pods"],
    ("LeaderWorkerSet", "combined"): ["restarts-pods"],
    ("TrainingRun", "reduce-resource"): ["owner-kind-unknown"],
}


@pytest.mark.parametrize(("kind", "name"), REFUSED)
def test_what_a_kind_forbids_is_refused_and_what_it_does_to_pods_is_said(kind: str, name: str) -> None:
    build, labels = CHAINS[kind]
    world, pod = scene(build(template()), template(), labels)
    wanted = remedy(*REMEDIES[name][0])
    found, result = plan(world, pod, wanted), patched(world, pod, wanted)
    outcome = found.refusal.code if found.refusal else list(result.cautions)
    assert outcome == REFUSED[kind, name]
    assert result.patch is not None
    assert result.patch.applicable == (found.refusal is None)
    assert bool(result.patch.why_not) != result.patch.applicable
    assert patched(world, pod, result) == result


def test_a_bare_pod_takes_tolerations_and_annotations_only() -> None:
    world, pod = scene([], template())
    raw = pod_of(template(), None, {})
    toleration = patch_of(world, pod, remedy(edit("spec.tolerations", GPU, None, TOLERATION)))
    assert toleration.applicable
    assert toleration.undo is None  # the API server lets none be taken away
    after = applied(toleration.patch, raw)
    assert after["spec"]["tolerations"] == [*raw["spec"]["tolerations"], TOLERATION]  # tolerationSeconds and all
    for refused in (gpus("8"), selector(INSTANCE_TYPE, "p4d.24xlarge", None), affinity(None)):
        patch = patch_of(world, pod, remedy(refused))
        assert not patch.applicable
        assert "delete it and create it" in patch.why_not
        assert patch.patch is not None


def test_a_suspended_job_set_takes_scheduling_fields_but_no_resources() -> None:
    top = owner("jobset.x-k8s.io/v1alpha2", "JobSet", job_set_spec(template(), suspend=True))
    world, pod = scene([top], template(), NODE_JOB)
    assert patch_of(world, pod, remedy(selector(INSTANCE_TYPE, "p4d.24xlarge", None))).applicable
    assert not patch_of(world, pod, remedy(gpus("8"))).applicable
    still_active = {**top, "status": {"replicatedJobsStatus": [{"name": "node", "active": 1}]}}
    world, pod = scene([still_active], template(), NODE_JOB)
    assert not patch_of(world, pod, remedy(selector(INSTANCE_TYPE, "p4d.24xlarge", None))).applicable


def test_an_mpi_launcher_runs_as_a_job_and_so_cannot_change() -> None:
    build, _ = CHAINS["MPIJob"]
    top = build(template())[0]
    top["spec"]["mpiReplicaSpecs"]["Launcher"] = {"replicas": 1, "template": template()}
    world, pod = scene([job(template(), top), top], template(), {"training.kubeflow.org/replica-type": "launcher"})
    found = plan(world, pod, remedy(gpus("8")))
    assert found.refusal is not None
    assert found.refusal.code == "immutable-recreate"


def train_job(**spec: object) -> Manifest:
    resources = {"limits": {GPU: 16, EFA: "4"}}
    runtime = {"kind": "ClusterTrainingRuntime", "name": "torch-distributed"}
    trainer = {"numNodes": 2, "resourcesPerNode": resources}
    return owner("trainer.kubeflow.org/v1alpha1", "TrainJob", {"runtimeRef": runtime, "trainer": trainer, **spec})


def train_chain(top: Manifest) -> Chain:
    below = owner("jobset.x-k8s.io/v1alpha2", "JobSet", job_set_spec(template()), top)
    return [job(template(), below), below, top]


PINS: Final = {"nodeSelector": {INSTANCE_TYPE: "p4d.24xlarge", CAPACITY_TYPE: "spot"}}
TARGET: Final = [{"name": "node"}]
ELSEWHERE: Final = {"targetJobs": [{"name": "launcher"}], "spec": PINS, **PINS}
REPLICATED: Final = {"name": "node", "template": {"spec": {"template": {"spec": PINS}}}}
# trainer v2.0, v2.1, v2.2 and newer: where a TrainJob overrides its runtime's pods, and the pointer to the pod spec there
OVERRIDES: Final = {
    "podSpecOverrides": ([ELSEWHERE, {"targetJobs": TARGET, **PINS}], "/1"),
    "podTemplateOverrides": ([ELSEWHERE, {"targetJobs": TARGET, "spec": PINS}], "/1/spec"),
    "runtimePatches": (
        [{"manager": "a.b/c", "trainingRuntimeSpec": {"template": {"spec": {"replicatedJobs": [REPLICATED]}}}}],
        "/0/trainingRuntimeSpec/template/spec/replicatedJobs/0/template/spec/template/spec",
    ),
}


@pytest.mark.parametrize("field", OVERRIDES)
def test_a_train_job_is_changed_where_its_version_overrides_the_runtime(field: str) -> None:
    value, where = OVERRIDES[field]
    world, pod = scene(train_chain(train_job(**{field: value})), template(), NODE_JOB)
    patch = patch_of(world, pod, remedy(selector(INSTANCE_TYPE, "p4d.24xlarge", None)))
    assert patch.target.kind == "TrainJob"
    assert isinstance(patch.patch, list)
    pointer = f"/spec/{field}{where}/nodeSelector/node.kubernetes.io~1instance-type"
    assert patch.patch[-2:] == [
        {"op": "test", "path": pointer, "value": "p4d.24xlarge"},
        {"op": "remove", "path": pointer},
    ]
    assert not patch.applicable
    assert "suspended" in patch.why_not


def test_a_train_jobs_resources_are_per_node_and_numbers_stay_numbers() -> None:
    top = train_job()
    chain = train_chain(top)
    world, pod = scene(chain, template(), NODE_JOB)
    patch = patch_of(world, pod, remedy(gpus("8"), edit(f"spec.containers[1].resources.limits[{EFA}]", EFA, "4", "1")))
    after = applied(patch.patch, top)
    assert after["spec"]["trainer"]["resourcesPerNode"] == {"limits": {GPU: 8, EFA: "1"}}
    assert not patch.applicable
    assert "delete it and create it" in patch.why_not


def test_what_a_train_jobs_runtime_sets_is_refused_below_it_and_names_it() -> None:
    world, pod = scene(train_chain(train_job()), template(), NODE_JOB)
    patch = patch_of(world, pod, remedy(selector(INSTANCE_TYPE, "p4d.24xlarge", None)))
    assert patch.target.kind == "JobSet"
    assert not patch.applicable
    assert "TrainJob train/llama-trainjob writes JobSet train/llama-jobset" in patch.why_not


def test_a_workflow_step_is_found_by_the_pods_name() -> None:
    steps = [
        {"name": "main", "dag": {"tasks": []}},
        {"name": "eval", "container": {"image": "x"}, "nodeSelector": {INSTANCE_TYPE: "p4d.24xlarge"}},
        {"name": "node-0", "container": {"image": "x", "resources": {"limits": {GPU: "16"}}}, **PINS},
    ]
    flow = owner("argoproj.io/v1alpha1", "Workflow", {"entrypoint": "main", "templates": steps})
    pods = template()
    pods["spec"]["containers"][0]["name"] = "main"
    world, pod = scene([flow], pods)
    patch = patch_of(world, pod, remedy(gpus("8"), selector(INSTANCE_TYPE, "p4d.24xlarge", None)))
    after = applied(patch.patch, flow)["spec"]["templates"]
    assert after[:2] == steps[:2]
    assert after[2]["container"]["resources"]["limits"] == {GPU: "8"}
    assert after[2]["nodeSelector"] == {CAPACITY_TYPE: "spot"}
    assert not patch.applicable


def test_an_unreadable_owner_is_named_and_nothing_is_applied() -> None:
    chain = CHAINS["Deployment"][0](template())
    world, pod = scene(chain[:1], template())
    patch = patch_of(world, pod, remedy(gpus("8")))
    assert patch.target.kind == "ReplicaSet"
    assert patch.patch is not None
    assert not patch.applicable
    assert "Deployment train/llama-deployment" in patch.why_not


def test_an_owner_of_the_same_name_made_anew_is_not_the_owner() -> None:
    chain = CHAINS["Deployment"][0](template())
    chain[1]["metadata"] = {**chain[1]["metadata"], "uid": "another"}
    world, pod = scene(chain, template())
    assert not patch_of(world, pod, remedy(gpus("8"))).applicable


def test_an_operator_above_the_deployment_would_undo_the_change() -> None:
    top = owner("databases.example.com/v1", "Warehouse", {"size": "large"})
    below = owner("apps/v1", "StatefulSet", {"template": template()}, top)
    world, pod = scene([below, top], template())
    patch = patch_of(world, pod, remedy(gpus("8")))
    assert patch.target.kind == "StatefulSet"
    assert not patch.applicable
    assert "Warehouse" in patch.why_not


def test_a_value_that_admission_set_is_in_no_owner() -> None:
    written = template()
    del written["spec"]["nodeSelector"]
    world, _ = scene(CHAINS["Deployment"][0](written), written)
    pod = decode(pod_of(template(), CHAINS["Deployment"][0](written)[0], {}), Pod)
    found = plan(world, pod, remedy(selector(INSTANCE_TYPE, "p4d.24xlarge", None)))
    assert found.refusal is not None
    assert found.refusal.code == "not-in-manifest"


def test_two_templates_that_could_have_made_the_pod_are_not_guessed_between() -> None:
    top = owner("ai.example.com/v1", "TrainingRun", {"stages": [{"pods": template()}, {"pods": template()}]})
    world, pod = scene([top], template())
    found = plan(world, pod, remedy(gpus("8")))
    assert found.refusal is not None
    assert found.refusal.code == "ambiguous-template"


def test_two_objects_are_no_one_patch() -> None:
    world, pod = scene(CHAINS["Deployment"][0](template()), template())
    label = edit(
        "spec.template.metadata.labels", "team", None, "ml", about=ref_of(workload(owner("a/v1", "NodePool", {})))
    )
    patch = patch_of(world, pod, remedy(gpus("8"), label))
    assert patch.target.kind == "Deployment"
    assert not patch.applicable
    assert "NodePool" in patch.why_not


def test_of_several_equal_terms_just_those_named_are_dropped() -> None:
    written = template()
    terms = [{"topologyKey": "rack", "labelSelector": {"matchLabels": {"n": n}}} for n in "abcd"]
    written["spec"]["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"] = terms
    chain = CHAINS["Deployment"][0](written)
    world, pod = scene(chain, written)
    where = "spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution"
    patch = patch_of(world, pod, remedy(*(edit(f"{where}[{i}]", "rack", "pod affinity by rack", None) for i in (0, 1))))
    left = applied(patch.patch, chain[-1])["spec"]["template"]["spec"]["affinity"]["podAffinity"]
    assert left == {"requiredDuringSchedulingIgnoredDuringExecution": terms[2:]}


def test_an_init_container_that_asks_for_as_much_gives_way_too() -> None:
    written = template()
    check = {"name": "nccl-check", "image": "x", "resources": {"limits": {GPU: "16"}}}
    written["spec"]["initContainers"] = [check]
    chain = CHAINS["Deployment"][0](written)
    world, pod = scene(chain, written)
    after = applied(patch_of(world, pod, remedy(gpus("8"))).patch, chain[-1])["spec"]["template"]["spec"]
    assert after["initContainers"][0]["resources"] == {"limits": {GPU: "8"}}
    assert after["containers"][0]["resources"]["limits"][GPU] == "8"


def test_an_override_without_tolerations_is_not_given_a_list_that_hides_the_runtimes() -> None:
    value, _ = OVERRIDES["podTemplateOverrides"]
    world, pod = scene(train_chain(train_job(podTemplateOverrides=value, suspend=True)), template(), NODE_JOB)
    result = patched(world, pod, remedy(edit("spec.tolerations", GPU, None, TOLERATION)))
    assert result.patch is not None
    assert result.patch.target.kind == "Pod"
    assert result.cautions == ("this-pod-only",)


def test_the_command_is_one_shell_word_for_word() -> None:
    world, pod = scene(CHAINS["PyTorchJob"][0](template()), template(), CHAINS["PyTorchJob"][1])
    nasty = edit(f"metadata.annotations[{DO_NOT_DISRUPT}]", DO_NOT_DISRUPT, None, 'it\'s $(reboot) `x` "y"\n')
    patch = patch_of(world, pod, remedy(nasty))
    words = shlex.split(kubectl_command(patch))
    assert words[:6] == ["kubectl", "patch", "pytorchjob.kubeflow.org", "llama-pytorchjob", "--namespace", "train"]
    assert words[6:8] == ["--type=json", "-p"]
    assert json.loads(words[8]) == patch.patch
