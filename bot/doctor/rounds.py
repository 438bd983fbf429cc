"""One examination from beginning to end: every cluster with its AWS, Slack, the store; all at once, none stops another."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient

from bot import app
from bot.config import ClusterConfig, Config
from bot.doctor.aws import examine_aws
from bot.doctor.findings import Finding, State
from bot.doctor.kubernetes import Right, examine_rights, examine_server, lease_rights, rights_of
from bot.doctor.slack import examine_slack
from bot.operations import store_check
from bot.packaged import own_playbooks, shipped_playbooks, shipped_roles
from bot.playbooks import check_playbooks, read_playbooks
from bot.slack.listeners import SCOPES
from bot.slack.serving import SLACK
from bot.sources.aws import Account, Boto, Clients
from bot.sources.errors import SourceError
from bot.store import StoreUnavailable, open_store

READ: Final = "deploy/manifests/rbac-read.yaml"
OPTIONAL: Final = "deploy/manifests/rbac-read-optional.yaml"
METRICS: Final = "deploy/manifests/rbac-read-metrics.yaml"
# what deploy/slack/manifest.yaml asks for beside SCOPES: a part of the bot each
_MORE_SCOPES: Final = frozenset(
    {"channels:history", "files:write", "groups:history", "reactions:write", "usergroups:read"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What is examined. `replicas_in`: the namespace in which several replicas keep their Lease, if there are several."""

    config: Config
    place: Callable[[ClusterConfig], app.Place]
    slack: bool = True
    replicas_in: str = ""
    api_url: str = ""
    clients: Clients = field(default_factory=Boto)
    clock: Callable[[], datetime] = app.wall_clock


async def examine(examination: Examination) -> list[Finding]:
    """All findings, in the order in which somebody would mend them."""
    config = examination.config
    rounds = [_cluster(examination, cluster) for cluster in config.clusters]
    if config.playbooks:
        rounds.append(asyncio.to_thread(_playbooks, [str(folder) for folder in config.playbooks]))
    if examination.slack:
        rounds += [_slack(examination), _store(config.store.url)]
    try:
        found = await asyncio.gather(*rounds)
    finally:
        examination.clients.close()
    return [finding for some in found for finding in some]


async def _cluster(examination: Examination, config: ClusterConfig) -> list[Finding]:
    place = examination.place(config)
    rights, aws = await asyncio.gather(_kubernetes(examination, config, place), _aws(examination, config, place))
    return [*rights, *aws]


async def _kubernetes(examination: Examination, config: ClusterConfig, place: app.Place) -> list[Finding]:
    name = config.shown_name
    try:
        api = await app.connect(place)
    except SourceError as error:
        return [
            Finding(area=f"cluster {name}", subject="API server", state=State.PROBLEM, found=str(error), fix="cluster")
        ]
    async with api:
        found = await examine_server(api, name, examination.clock)
        if found[0].state is State.OK:
            found += await examine_rights(api, name, _rights(examination), READ)
            where = examination.config.karpenter_namespaces
            for manifest in (OPTIONAL, METRICS):
                text = shipped_roles()[manifest.rpartition("/")[2]]
                rights = rights_of(text, log_namespaces=where, optional=True)
                found += await examine_rights(api, name, rights, manifest)
    return found


def _rights(examination: Examination) -> Iterable[Right]:
    yield from rights_of(shipped_roles()["rbac-read.yaml"], log_namespaces=examination.config.karpenter_namespaces)
    if examination.replicas_in:
        yield from lease_rights(examination.replicas_in)


async def _aws(examination: Examination, config: ClusterConfig, place: app.Place) -> list[Finding]:
    account = Account(role_arn=config.assume_role, external_id=config.external_id)
    area = f"AWS of {config.shown_name}"
    return await asyncio.to_thread(examine_aws, examination.clients, place.region, account, examination.clock, area)


async def _slack(examination: Examination) -> list[Finding]:
    wanted = dict.fromkeys(_MORE_SCOPES, False) | dict.fromkeys(SCOPES, True)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        client = AsyncWebClient(base_url=examination.api_url or SLACK, session=session)
        return await examine_slack(client, examination.config.slack, wanted, examination.clock)


def _playbooks(folders: list[str]) -> list[Finding]:
    """What is wrong with the operator's own pages, as they lie in their folders now."""
    try:
        own = own_playbooks(tuple(folders))
    except (OSError, UnicodeDecodeError) as error:
        wrong = [str(error)]
    else:
        found = check_playbooks(read_playbooks(shipped_playbooks(), own))
        wrong = [f"{problem}" for problem in found if problem.file in own]
    area, subject = "playbooks", ", ".join(folders)
    if not wrong:
        return [Finding(area=area, subject=subject, state=State.OK)]
    return [Finding(area=area, subject=subject, state=State.PROBLEM, found=one, fix="playbooks") for one in wrong]


async def _store(url: str) -> list[Finding]:
    why = ""
    with suppress(TimeoutError):
        try:
            async with asyncio.timeout(20), open_store(url) as store:
                why = (await store_check(store)).why
        except StoreUnavailable as error:
            why = str(error)
    state = State.PROBLEM if why else State.OK
    return [Finding(area="store", subject=url.partition(":")[0], state=state, found=why, fix="store" if why else "")]
