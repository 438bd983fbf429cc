"""Alert threads over the serving bot's desk, store and words."""

from collections.abc import Callable

from bot import app
from bot.alerting import Alerting, AlertThreads
from bot.alerting.clusters import Desk, DeskClusters
from bot.config import Config
from bot.diagnosis.pasted import explain_text
from bot.playbooks import Playbooks, Rendered, render_explanation
from bot.remembering import Memory
from bot.store import Store


def alert_threads(
    config: Config, playbooks: Playbooks, store: Store, desk: Desk, clock: app.Clock, leads: Callable[[], bool]
) -> AlertThreads:
    """The part that answers alerts. `clock` is the store's, `leads` whether this replica is the one that watches."""

    def explain(text: str, language: str) -> Rendered | None:
        found = explain_text(text, None, app.wall_clock())
        return render_explanation(found, playbooks, language) if found.recognised else None

    return AlertThreads(
        Alerting(
            store=store,
            clusters=DeskClusters(config, desk, playbooks, Memory(store)),
            explain=explain,
            clock=clock,
            token=config.alerts.token,
            channel=config.alerts.channel,
            watch_minutes=config.alerts.watch_minutes,
            leads=leads,
        )
    )
