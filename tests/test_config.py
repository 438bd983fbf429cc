"""What is set is what is meant; what is wrong is named, all at once, and no secret with it."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bot.config import (
    FILE,
    SETTINGS,
    ClusterConfig,
    Config,
    ConfigError,
    SlackConfig,
    load_config,
    variable,
)

TOKENS = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1"}
WHOLE = """
language: ko
logLevel: Debug
karpenterNamespaces: [kube-system, karpenter]
playbooks: [{folder}]
slack:
  mode: http
  listen: "127.0.0.1:9000"
  answerSeconds: 10
  answersAtOnce: 8
  drainSeconds: 5
clusters:
  prod:
    context: arn:aws:eks:ap-northeast-2:123456789012:cluster/prod
    region: ap-northeast-2
    assumeRole: arn:aws:iam::123456789012:role/path/reader
    externalId: x-1
  here: {{inCluster: true}}
"""


def written(folder: Path, text: str) -> str:
    """A file with this text."""
    file = folder / "config.yaml"
    file.write_text(text, "utf-8")
    return str(file)


def problems(environment: dict[str, str], file: str = "", *, serving: bool = False) -> str:
    """What is complained about."""
    with pytest.raises(ConfigError) as caught:
        load_config(environment, file=file, serving=serving)
    return "\n".join(caught.value.problems)


def test_nothing_need_be_set() -> None:
    assert load_config({}) == Config()
    assert load_config({}).cluster("") == ClusterConfig()


def test_everything_can_be_set(tmp_path: Path) -> None:
    secrets = TOKENS | {"SLACK_SIGNING_SECRET": "s3cret"}
    file = written(tmp_path, WHOLE.format(folder=tmp_path))
    config = load_config({FILE: file, **secrets}, serving=True)
    prod, here = config.clusters
    assert config == Config(
        slack=SlackConfig(
            mode="http",
            bot_token="xoxb-1",
            app_token="xapp-1",
            signing_secret="s3cret",
            host="127.0.0.1",
            port=9000,
            answer_seconds=10,
            answers_at_once=8,
            drain_seconds=5,
        ),
        language="ko",
        log_level="DEBUG",
        karpenter_namespaces=("kube-system", "karpenter"),
        playbooks=(tmp_path,),
        clusters=(prod, here),
    )
    assert (prod.name, prod.region, prod.external_id) == ("prod", "ap-northeast-2", "x-1")
    assert here == ClusterConfig(name="here", in_cluster=True)
    assert config.cluster("") is config.cluster("prod") is config.cluster(prod.context) is prod
    assert config.cluster("prdo") is None


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, "language: ko\nslack: {mode: http}\nregion: us-east-1\n")
    environment = {
        "KARPENTER_BOT_LANGUAGE": "en",
        "KARPENTER_BOT_SLACK_LISTEN": ":0",
        "KARPENTER_BOT_KARPENTER_NAMESPACES": "karpenter, kube-system",
        "KARPENTER_BOT_CONTEXT": "dev",
        "KARPENTER_BOT_LOG_LEVEL": "",
    }
    config = load_config(environment, file=file)
    assert (config.language, config.slack.mode, config.slack.port) == ("en", "http", 0)
    assert config.karpenter_namespaces == ("karpenter", "kube-system")
    assert config.clusters == (ClusterConfig(context="dev", region="us-east-1"),)


def test_secrets_come_from_files_and_are_never_shown(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("xoxb-of-a-file\n")
    config = load_config({"SLACK_BOT_TOKEN_FILE": str(tmp_path / "token"), "SLACK_APP_TOKEN": "xapp-1"}, serving=True)
    assert config.slack.bot_token == "xoxb-of-a-file"
    assert "xoxb" not in repr(config)
    told = problems({"SLACK_BOT_TOKEN": "xapp-swapped", "SLACK_APP_TOKEN": "xoxb-swapped"}, serving=True)
    assert told == "SLACK_BOT_TOKEN: this is not a bot token (xoxb-...)\n" + (
        "SLACK_APP_TOKEN: this is not an app-level token (xapp-...)"
    )


def test_a_cluster_without_a_region_gets_that_of_the_aws_environment(tmp_path: Path) -> None:
    file = written(tmp_path, "clusters: {here: {context: a}, there: {context: b, region: eu-west-1}}")
    config = load_config({"AWS_REGION": "us-east-2", "AWS_DEFAULT_REGION": "us-west-1"}, file=str(file))
    assert [one.region for one in config.clusters] == ["us-east-2", "eu-west-1"]
    assert load_config({"AWS_DEFAULT_REGION": "us-west-1"}).clusters[0].region == "us-west-1"


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"KARPENTER_BOT_LANGUGE": "ko"}, "KARPENTER_BOT_LANGUGE: unknown; did you mean KARPENTER_BOT_LANGUAGE?"),
        ({"KARPENTER_BOT_SLACK_MODE": "sockets"}, "not 'sockets'; did you mean socket?"),
        ({"KARPENTER_BOT_SLACK_LISTEN": "tcp://x"}, "KARPENTER_BOT_SLACK_LISTEN must be [HOST]:PORT"),
        ({"KARPENTER_BOT_SLACK_LISTEN": ":65536"}, "must be [HOST]:PORT"),
        ({"KARPENTER_BOT_SLACK_ANSWER_SECONDS": "nan"}, "must be between 1 and 600, not nan"),
        ({"KARPENTER_BOT_SLACK_ANSWER_SECONDS": "0"}, "must be between 1 and 600, not 0"),
        ({"KARPENTER_BOT_SLACK_ANSWERS_AT_ONCE": "1.5"}, "must be a whole number"),
        ({"KARPENTER_BOT_REGION": "seoul"}, "must be an AWS region"),
        ({"KARPENTER_BOT_ASSUME_ROLE": "reader"}, "must be a role's ARN"),
        ({"KARPENTER_BOT_PLAYBOOKS": "/nowhere"}, "names '/nowhere', which is no folder"),
        ({"KARPENTER_BOT_KARPENTER_NAMESPACES": "Kube_System"}, "cannot be a namespace"),
        ({FILE: "/nowhere.yaml"}, "/nowhere.yaml: cannot be read: No such file"),
        ({"SLACK_BOT_TOKEN_FILE": "/nowhere"}, "SLACK_BOT_TOKEN_FILE: /nowhere cannot be read"),
        ({"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_BOT_TOKEN_FILE": "/x"}, "set it or SLACK_BOT_TOKEN_FILE, not both"),
    ],
)
def test_what_is_wrong_in_the_environment(environment: dict[str, str], told: str) -> None:
    assert told in problems(environment)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("languge: ko", "config.yaml: languge: unknown; did you mean language?"),
        ("slack: {mod: http}", "config.yaml: slack.mod: unknown; did you mean mode?"),
        ("slack: socket", "slack: must hold keys and values"),
        ("slack: {botToken: xoxb-1}", "slack.botToken: secrets belong into SLACK_BOT_TOKEN"),
        ("language: [ko]", "config.yaml: language must be a text"),
        ("language: no", "config.yaml: language must be a text"),
        ("clusters: [prod]", "clusters: must hold names"),
        ("clusters: {prod: {regoin: us-east-1}}", "clusters.prod.regoin: unknown; did you mean region?"),
        ("clusters: {prod: {region: 1}}", "clusters.prod.region must be an AWS region"),
        ("clusters: {prod: {inCluster: true, context: x}}", "either inCluster or a context"),
        ("clusters: {prod eu: {}}", "must be one that people can type"),
        ("clusters: {prod: {}}\nregion: us-east-1", "set this below the cluster it is for"),
        ("- a", "must hold keys and values"),
        ("a: b: c", "config.yaml:1: no YAML"),
        ("\ta", "config.yaml:1: no YAML"),
    ],
)
def test_what_is_wrong_in_the_file(tmp_path: Path, text: str, told: str) -> None:
    said = problems({}, written(tmp_path, text))
    assert told in said
    assert "xoxb-1" not in said


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    file = written(tmp_path, "languge: ko\nlogLevel: loud\nslack: {mode: telnet}\n")
    said = problems({"KARPENTER_BOT_REGION": "seoul", "KARPENTER_BOT_X": "1"}, file, serving=True)
    assert len(said.splitlines()) == 7
    for told in ("languge", "logLevel", "slack.mode", "REGION", "BOT_X", "SLACK_BOT_TOKEN: needed", "SLACK_APP_TOKEN"):
        assert told in said


def test_what_serving_needs() -> None:
    assert problems({}, serving=True).splitlines() == [
        "SLACK_BOT_TOKEN: needed to answer in Slack",
        "SLACK_APP_TOKEN: needed for Socket Mode (or set slack.mode to http)",
    ]
    over_http = {"KARPENTER_BOT_SLACK_MODE": "http", **TOKENS}
    assert "SLACK_SIGNING_SECRET: needed over HTTP" in problems(over_http, serving=True)
    assert load_config(TOKENS, serving=True).slack.app_token == "xapp-1"


def test_a_service_named_like_the_bot_does_no_harm() -> None:
    """Kubernetes puts these into every pod of the Service's namespace."""
    links = {
        "KARPENTER_BOT_SERVICE_HOST": "10.0.0.1",
        "KARPENTER_BOT_SERVICE_PORT": "80",
        "KARPENTER_BOT_SERVICE_PORT_HTTP": "80",
        "KARPENTER_BOT_PORT": "tcp://10.0.0.1:80",
        "KARPENTER_BOT_PORT_80_TCP": "tcp://10.0.0.1:80",
        "KARPENTER_BOT_PORT_80_TCP_ADDR": "10.0.0.1",
        "KARPENTER_BOT_METRICS_SERVICE_HOST": "10.0.0.2",
    }
    assert load_config(links) == Config()


def test_every_setting_has_a_variable_of_its_own() -> None:
    names = {variable(name) for name in SETTINGS}
    assert len(names) == len(SETTINGS)
    assert "KARPENTER_BOT_SLACK_ANSWER_SECONDS" in names


YAML = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["slack", "clusters", "mode", "region", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*SETTINGS, "slack", "clusters", "y"]), YAML, max_size=4))
def test_no_file_is_an_exception(tmp_path_factory: pytest.TempPathFactory, content: dict[str, object]) -> None:
    """Any YAML is a Config or a list of problems."""
    file = written(tmp_path_factory.getbasetemp(), yaml.safe_dump(content))
    try:
        config = load_config({}, file=file)
    except ConfigError as error:
        found = error.problems
    else:
        found = (repr(config),)
    assert all(found)


def test_a_cluster_is_chosen_by_its_name_else_by_the_channel(tmp_path: Path) -> None:
    text = """
clusters:
  prod: {eks: prod, region: eu-west-1, assumeRole: "arn:aws:iam::123456789012:role/r"}
  dev: {context: dev, channels: [C0DEV, C0TEST]}
"""
    config = load_config({}, file=written(tmp_path, text))
    chosen = {
        (name, channel): config.cluster_of(name, channel) for name in ("", "prod", "nope") for channel in ("", "C0DEV")
    }
    assert {key: c and c.shown_name for key, c in chosen.items()} == {
        ("", ""): "prod",
        ("", "C0DEV"): "dev",
        ("prod", ""): "prod",
        ("prod", "C0DEV"): "prod",
        ("nope", ""): None,
        ("nope", "C0DEV"): None,
    }


def test_ways_to_a_cluster_exclude_each_other_and_eks_needs_its_region(tmp_path: Path) -> None:
    text = "clusters: {a: {eks: a, context: b, region: eu-west-1}, c: {eks: c}, d: {channels: [general]}}"
    told = problems({}, written(tmp_path, text))
    assert "clusters.a: either eks or a context, not both" in told
    assert "clusters.c: eks needs the region" in told
    assert "no channel's id" in told
