"""A workspace to start from: two people and a guest, four channels, one user group."""

from __future__ import annotations

from .state import Channel, User, UserGroup, Workspace

ANNA = "U0ANNA"  # reads English, on call
MIN = "U0MIN"  # reads Korean, not on call
GUEST = "U0GUEST"  # a guest of another team, in by Slack Connect
OPS = "C0OPS"
ALERTS = "C0ALERTS"
ELSEWHERE = "C0ELSEWHERE"  # the bot is not in it
SECRET = "G0SECRET"
ON_CALL = "S0ONCALL"


def furnish(workspace: Workspace) -> Workspace:
    """Fill an empty workspace with the people and places above."""
    workspace.add_user(User(id=ANNA, name="anna", is_admin=True))
    workspace.add_user(User(id=MIN, name="min", locale="ko-KR", tz_offset=9 * 3600))
    workspace.add_user(User(id=GUEST, name="guest", team_id="T0OTHER", is_restricted=True))
    workspace.add_user(User(id=workspace.bot_user, name="karpenter-bot", is_bot=True))
    workspace.add_channel(Channel(id=OPS, name="ops"))
    workspace.add_channel(Channel(id=ALERTS, name="alerts"))
    workspace.add_channel(Channel(id=ELSEWHERE, name="elsewhere"), bot=False)
    workspace.add_channel(Channel(id=SECRET, name="secret", is_private=True, members={ANNA}))
    workspace.groups[ON_CALL] = UserGroup(id=ON_CALL, handle="oncall", users=(ANNA,))
    return workspace
