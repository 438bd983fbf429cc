"""Slack's secrets, as whoever needs them takes them from the settings."""

from typing import Protocol


class Keys(Protocol):
    """The bot token, and what lets deliveries in: an app token (Socket Mode) or a signing secret (HTTP)."""

    @property
    def bot_token(self) -> str: ...
    @property
    def app_token(self) -> str: ...
    @property
    def signing_secret(self) -> str: ...


class Entrance(Keys, Protocol):
    """Keys with the way in: `mode` is `socket` or `http`."""

    @property
    def mode(self) -> str: ...
