"""The serving bot as processes of their own, as a Deployment has them: started, killed, frozen, ended, watched from outside.

python -m tests.serving OVERRIDE=VALUE... -- serve --config FILE     (what `start` runs: the bot with other waiting times)
"""

from __future__ import annotations

import asyncio
import cProfile
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import aiohttp
import yaml

from bot import cli, leading
from bot.slack import handover
from bot.store import questions
from tests.cluster.processes import free_ports
from tests.fakes.slack import FakeSlack

REPOSITORY: Final = Path(__file__).parents[1]
NO_AWS: Final = "http://127.0.0.1:9"
"""Nobody listens there: answers say that AWS could not be asked."""
_PATIENCE: Final = aiohttp.ClientTimeout(total=5)


@dataclass(slots=True, kw_only=True)
class Replica:
    """One process of the bot."""

    name: str
    process: asyncio.subprocess.Process
    port: int
    log: Path

    def kill(self) -> None:
        """As the kernel does it."""
        self.process.send_signal(signal.SIGKILL)

    def freeze(self) -> None:
        """It stands still and knows nothing of it."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    async def end(self) -> int:
        """As kubelet does it; the exit code."""
        if self.process.returncode is None:
            self.process.terminate()
        return await self.process.wait()

    async def get(self, path: str) -> tuple[int, str]:
        """Status and body; 0 where nobody answers."""
        try:
            url = f"http://127.0.0.1:{self.port}{path}"
            async with aiohttp.ClientSession(timeout=_PATIENCE) as session, session.get(url) as answer:
                return answer.status, await answer.text()
        except (aiohttp.ClientError, TimeoutError):
            return 0, ""

    async def measure(self, name: str) -> float:
        """A metric's sum over its labels; -1 where nobody answers."""
        status, text = await self.get("/metrics")
        found = re.findall(rf"^karpenter_bot_{name}(?:\{{[^}}]*\}})? (\S+)$", text, re.MULTILINE)
        return sum(map(float, found)) if status == 200 else -1.0

    @property
    def mib(self) -> float:
        """Resident memory now (Linux)."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        return int(found[1]) / 1024 if found else 0.0

    def said(self) -> str:
        """Its log so far."""
        return self.log.read_text("utf-8", errors="replace")


@dataclass(slots=True, kw_only=True)
class Deployment:
    """Settings that replicas share. `environment` is added to what they get; `overrides`: see `_override`."""

    folder: Path
    slack: FakeSlack
    settings: Mapping[str, Any]
    mode: str = "socket"
    environment: Mapping[str, str] = field(default_factory=dict)
    overrides: tuple[str, ...] = ()
    replicas: list[Replica] = field(default_factory=list)

    async def start(self, name: str) -> Replica:
        """Starts one and returns when it is ready. Raises AssertionError with its last words when it ends instead."""
        (port,) = free_ports(1)
        slack = {"listen": f"127.0.0.1:{port}", "mode": self.mode, **self.settings.get("slack", {})}
        config = self.folder / f"{name}.yaml"
        config.write_text(yaml.safe_dump({**self.settings, "slack": slack}), encoding="utf-8")
        log = self.folder / f"{name}.log"
        command = [sys.executable, "-m", "tests.serving", *self.overrides, "--", "serve", "--config", str(config)]
        with log.open("ab") as sink:
            process = await asyncio.create_subprocess_exec(
                *command, env=self._environment(name), stdout=sink, stderr=sink, cwd=REPOSITORY
            )
        replica = Replica(name=name, process=process, port=port, log=log)
        self.replicas.append(replica)
        async with asyncio.timeout(120):
            while (await replica.get("/readyz"))[0] != 200:
                assert process.returncode is None, replica.said()[-2000:]
                await asyncio.sleep(0.1)
        return replica

    def _environment(self, name: str) -> dict[str, str]:
        plain = {n: v for n, v in os.environ.items() if not n.startswith(("AWS_", "KUBE", "SLACK_", "KARPENTER_BOT_"))}
        return {
            **plain,
            "POD_NAME": name,
            "SLACK_API_URL": self.slack.api_url,
            "SLACK_BOT_TOKEN": self.slack.workspace.bot_token,
            "SLACK_APP_TOKEN": self.slack.app.app_token,
            "SLACK_SIGNING_SECRET": self.slack.app.signing_secret,
            "AWS_ENDPOINT_URL": NO_AWS,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            **self.environment,
        }


@asynccontextmanager
async def deployed(deployment: Deployment) -> AsyncIterator[Deployment]:
    """Whatever it starts is gone afterwards."""
    try:
        yield deployment
    finally:
        for replica in deployment.replicas:
            if replica.process.returncode is None:
                replica.kill()
                await replica.process.wait()


def _override(name: str, seconds: float) -> None:
    """Waits that a test has no time for."""
    match name:
        case "lease":
            questions.LEASE = timedelta(seconds=seconds)  # type: ignore[misc]
        case "look":
            handover.EVERY = seconds  # type: ignore[misc]
        case "leader":
            leading.SECONDS, leading.BELIEVED = round(seconds), seconds * 0.6  # type: ignore[misc]
            leading.EVERY = seconds / 6  # type: ignore[misc]
        case _:
            raise SystemExit(f"no such override: {name}")


def main() -> int:
    """The bot's own command line, with the overrides before `--`."""
    at, profile = sys.argv.index("--"), ""
    for override in sys.argv[1:at]:
        name, _, value = override.partition("=")
        if name == "profile":
            profile = value
        else:
            _override(name, float(value))
    if not profile:
        return cli.main(sys.argv[at + 1 :])
    profiler = cProfile.Profile()
    try:
        return profiler.runcall(cli.main, sys.argv[at + 1 :])
    finally:
        profiler.dump_stats(profile)


if __name__ == "__main__":
    sys.exit(main())
