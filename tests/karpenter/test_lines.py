"""Log lines: every shape in which they reach people, cut anywhere, and text that is no log line."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.karpenter import (
    InstanceTypeRefusal,
    LimitsExceeded,
    LogLine,
    Reason,
    Refusal,
    SignalKind,
    TaintNotTolerated,
    Unrecognised,
    parse_line,
    parse_text,
    read_line,
    read_text,
)

_SEED: Final = (Path(__file__).parent / "data" / "seed-karpenter.log").read_text(encoding="utf-8")
_FIRST: Final = _SEED.splitlines()[0]
_CAUSES: Final = json.dumps(
    {
        "level": "ERROR",
        "time": "2026-08-20T22:19:15.123Z",
        "logger": "controller",
        "message": "could not schedule pod",
        "commit": "6e7eab7",
        "controller": "provisioner",
        "namespace": "",
        "name": "",
        "reconcileID": "0c6b3b7e-5a0c-4f4e-9d75-7f1d8f7b1f02",
        "Pod": {"name": "trainer-0", "namespace": "ml"},
        "NodePool": {"name": "cheap"},
        "taints": ["team=ml:NoSchedule", "gpu:NoExecute"],
        "error": "did not tolerate taint (taint=team=ml:NoSchedule); did not tolerate taint (taint=gpu:NoExecute); "
        "all available instance types exceed limits for nodepool (NodePool=cheap)",
        "errorCauses": [
            {"error": "did not tolerate taint (taint=team=ml:NoSchedule)"},
            {"error": "did not tolerate taint (taint=gpu:NoExecute)"},
            {"error": "all available instance types exceed limits for nodepool (NodePool=cheap)"},
        ],
    },
    separators=(",", ":"),
)
_KNATIVE: Final = (
    '{"level":"ERROR","time":"2023-11-02T10:00:00.500Z","logger":"controller.provisioner","message":"Could not schedule '
    'pod, incompatible with nodepool \\"edge\\", daemonset overhead={\\"cpu\\":\\"210m\\"}, did not tolerate '
    'team=ml:NoSchedule","commit":"1072d3b","pod":"ml/trainer-0"}'
)
_CONSOLE: Final = (
    "2023-11-02T10:00:00.500Z\tERROR\tcontroller.provisioner\tCould not schedule pod, incompatible with nodepool "
    '"edge", daemonset overhead={"cpu":"210m"}, did not tolerate team=ml:NoSchedule\t'
    '{"commit": "1072d3b", "pod": "ml/trainer-0"}'
)


def test_the_seed_is_read_whole() -> None:
    lines = parse_text(_SEED)
    assert [line.objects["Pod"] for line in lines] == [
        "default/llama-3-8b-node-0-1-z49j4",
        "default/llama-3-8b-node-0-2-dxnht",
        "default/llama-3-8b-node-0-3-c5mzw",
    ]
    for line in lines:
        signal = read_line(line)
        assert line.time == datetime(2025, 12, 28, 6, 3, 4, 194_000, tzinfo=UTC)
        assert (line.level, line.controller, line.truncated) == ("ERROR", "provisioner", False)
        assert signal.kind is SignalKind.POD_REFUSED
        assert isinstance(signal.detail, Refusal)
        (refused,) = signal.detail.findings
        assert isinstance(refused, InstanceTypeRefusal)
        assert refused.reason is Reason.REQUIREMENTS_OF_PAIR
        assert refused.resources["vpc.amazonaws.com/efa"] == "8"
        assert refused.nodepool == "gpu"
        assert refused.complete


def test_v1_5_lines_carry_the_errors_own_keys_and_its_causes() -> None:
    line = parse_line(_CAUSES)
    assert line is not None
    assert line.error_causes == (
        "did not tolerate taint (taint=team=ml:NoSchedule)",
        "did not tolerate taint (taint=gpu:NoExecute)",
        "all available instance types exceed limits for nodepool (NodePool=cheap)",
    )
    assert read_line(line).objects == {"Pod": "ml/trainer-0"}  # the NodePool is only one error's
    assert line.fields["taints"] == ["team=ml:NoSchedule", "gpu:NoExecute"]
    assert _findings(line) == (
        TaintNotTolerated(key="team", value="ml", effect="NoSchedule"),
        TaintNotTolerated(key="gpu", value="", effect="NoExecute"),
        LimitsExceeded(nodepool="cheap"),
    )


@pytest.mark.parametrize("text", [_KNATIVE, _CONSOLE, _CONSOLE.replace("\t", "  ")], ids=["json", "console", "spaces"])
def test_v0_32_to_v0_36_lines_carry_the_error_in_the_message(text: str) -> None:
    line = parse_line(text)
    assert line is not None
    assert (line.level, line.logger, line.controller) == ("ERROR", "controller.provisioner", line.controller)
    assert line.objects == {"Pod": "ml/trainer-0"}
    assert line.time == datetime(2023, 11, 2, 10, 0, 0, 500_000, tzinfo=UTC)
    signal = read_line(line)
    assert signal.kind is SignalKind.POD_REFUSED
    assert isinstance(signal.detail, Refusal)
    (clause,) = signal.detail.clauses
    assert (clause.nodepool, clause.daemon_overhead) == ("edge", {"cpu": "210m"})
    assert clause.findings == (TaintNotTolerated(key="team", value="ml", effect="NoSchedule"),)


_GPUS: Final = "karpenter.k8s.aws/instance-gpu-count Exists >=1 <=8, karpenter.sh/nodepool In [gpu]"
_FIRST_BOUNDED: Final = _FIRST.replace("karpenter.sh/nodepool In [gpu]", _GPUS)
_SLACK: Final = _FIRST_BOUNDED.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
_WIDTH: Final = 97
_WRAPPED: Final = {
    "kubectl logs --prefix": f"[pod/karpenter-7d9c64b8f5-x2x7p/controller] {_FIRST}",
    "kubectl logs --timestamps": f"2025-12-28T06:03:04.194713511Z {_FIRST}",
    "both": f"[pod/karpenter-7d9c64b8f5-x2x7p/controller] 2025-12-28T06:03:04.194713511Z {_FIRST}",
    "CRI": f"2025-12-28T06:03:04.194713511+00:00 stdout F {_FIRST}",
    "CRI in two pieces": f"2025-12-28T06:03:04.1Z stdout P {_FIRST[:300]}\n2025-12-28T06:03:04.1Z stdout F {_FIRST[300:]}",
    "docker": json.dumps({"log": f"{_FIRST}\n", "stream": "stdout", "time": "2025-12-28T06:03:04.2Z"}),
    "fluent-bit": json.dumps({"kubernetes": {"pod_name": "karpenter"}, "log_processed": json.loads(_FIRST)}),
    "stern": f"karpenter-7d9c64b8f5-x2x7p controller {_FIRST}",
    "Slack code block": f"karpenter says\n```{_SLACK}```\nany idea?",
    "Slack quote": f"&gt; {_SLACK}",
    "Slack links": _FIRST.replace("karpenter.sh/nodepool", "<http://karpenter.sh/nodepool|karpenter.sh/nodepool>"),
    "smart quotes": _FIRST.replace('"level"', "“level”").replace('"time"', "„time”"),
    "no-break spaces": _FIRST.replace(" In ", "\u00a0In\u00a0"),
    "pretty-printed": json.dumps(json.loads(_FIRST), indent=2),
    "wrapped by a terminal": "\n".join(_FIRST[at : at + _WIDTH] for at in range(0, len(_FIRST), _WIDTH)),
    "Windows line ends": f"{_FIRST}\r\n",
    "one backtick": f"`{_FIRST}`",
}


@pytest.mark.parametrize("text", _WRAPPED.values(), ids=_WRAPPED.keys())
def test_a_line_is_the_same_line_however_it_was_handed_over(text: str) -> None:
    plain = parse_line(_FIRST_BOUNDED if "&" in text else _FIRST)
    lines = parse_text(text)
    assert plain is not None
    assert len(lines) == 1
    assert not lines[0].truncated
    assert (lines[0].message, lines[0].error, lines[0].objects) == (plain.message, plain.error, plain.objects)
    assert read_line(lines[0]).detail == read_line(plain).detail


@pytest.mark.parametrize("text", [_FIRST, _CAUSES, _KNATIVE, _CONSOLE], ids=["v1.4", "v1.14", "v0.33", "console"])
def test_a_line_cut_anywhere_never_says_anything_else_than_the_whole_line(text: str) -> None:
    whole = parse_line(text)
    assert whole is not None
    for end in range(len(text)):
        line = parse_line(text[:end])
        if line is None:
            continue
        assert line.truncated
        assert line.objects.items() <= whole.objects.items()
        assert line.time in {None, whole.time}
        assert whole.message.startswith(line.message)
        assert whole.error.startswith(line.error)
        signal = read_line(line)
        assert signal.kind in {SignalKind.OTHER, SignalKind.POD_REFUSED}
        for finding in _findings(line):
            assert _agrees(finding, _findings(whole)), (end, finding)
    full = parse_text(text + "\n" + text)
    assert [line.truncated for line in full] == [False, False]


def _findings(line: LogLine) -> tuple[object, ...]:
    detail = read_line(line).detail
    return detail.findings if isinstance(detail, Refusal) else ()


def _agrees(finding: object, whole: tuple[object, ...]) -> bool:
    if isinstance(finding, Unrecognised) or finding in whole:
        return True
    return isinstance(finding, InstanceTypeRefusal) and any(
        isinstance(one, InstanceTypeRefusal)
        and not finding.complete
        and finding.reason is one.reason
        and set(finding.requirements) <= set(one.requirements)
        and finding.resources.items() <= one.resources.items()
        for one in whole
    )


def test_cut_lines_between_whole_ones_do_not_take_them_along() -> None:
    lines = parse_text(f"{_FIRST[:700]}\n{_CAUSES}\n{_KNATIVE[:120]}\nsomething else\n{_CONSOLE}\n")
    assert [(line.truncated, line.objects.get("Pod")) for line in lines] == [
        (True, "default/llama-3-8b-node-0-1-z49j4"),
        (False, "ml/trainer-0"),
        (True, None),
        (False, "ml/trainer-0"),
    ]


def test_a_number_that_may_have_gone_on_is_left_out() -> None:
    line = parse_line('{"level":"INFO","message":"computed new nodeclaim(s) to fit pod(s)","nodeclaims":1')
    assert line is not None
    assert (line.truncated, line.cut, "nodeclaims" in line.fields) == (True, "nodeclaims", False)


_HUGE: Final = {
    "one long error": _FIRST.replace("could not", "could not " + "x" * 2_000_000),
    "cut inside": '{"level":"ERROR","message":"could not schedule pod","error":"' + "no instance type " * 120_000,
    "refusals": '{"level":"ERROR","message":"could not schedule pod","error":"'
    + "did not tolerate a=b:NoSchedule; " * 60_000
    + '"}',
    "open braces": "{" * 2_000_000,
    "nesting": '{"level":"INFO","a":' + '{"a":[' * 300_000,
    "backslashes": '{"level":"INFO","message":"' + "\\" * 2_000_000,
    "broken lines": ('{"level":"' + "a" * 39 + "\n") * 40_000,
    "quotes": "> " * 1_000_000,
    "prefixes": "[pod/a/b] " * 200_000 + "{",
    "console": "2023-11-02T10:00:00.000Z\tERROR\tcontroller\t" + '\t{"commit"' * 200_000,
}


@pytest.mark.parametrize("text", _HUGE.values(), ids=_HUGE.keys())
def test_two_megabytes_of_anything_are_read_without_an_error(text: str) -> None:
    line = parse_line(text)
    if line is not None:
        read_line(line)
    read_text(text)


def test_a_two_megabyte_line_still_says_what_it_says() -> None:
    padded = _FIRST.replace('"commit":"1ad0d78"', f'"commit":"{"1ad0d78" * 300_000}"')
    line = parse_line(padded)
    assert line is not None
    assert _findings(line) == _findings(parse_text(_SEED)[0])


@given(st.text())
def test_no_text_raises(text: str) -> None:
    for said in (text, _FIRST[:900] + text, f'{{"level":"{text}","message":"could not schedule pod","error":{text}'):
        parse_line(said)
        read_text(said)


_json: Final = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)),
    max_leaves=10,
)
_fields: Final = st.sampled_from(
    ["level", "time", "ts", "logger", "message", "msg", "error", "errorCauses", "Pod", "pod", "name", "controllerKind", "log",
     "decision", "disrupted-nodes", "replacement-nodes", "command", "reason"]
)  # fmt: skip


@given(
    st.dictionaries(_fields, _json), st.sampled_from(["disrupting node(s)", "could not schedule pod", "ignoring pod"])
)
def test_no_field_of_any_type_raises(fields: dict[str, object], message: str) -> None:
    for members in (fields, {**fields, "level": "INFO", "message": message}):
        line = parse_line(json.dumps(members))
        if line is not None:
            read_line(line)
