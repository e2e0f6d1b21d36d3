"""Notifiers from the configuration."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from hatchway.core.events import Event
from hatchway.core.plan import Installation, NotifierSpec
from hatchway.notify.command import CommandNotifier
from hatchway.notify.dispatcher import Control, Dispatcher, Route
from hatchway.notify.port import Notifier
from hatchway.notify.webhook import WebhookNotifier


def dispatcher(
    installation: Installation,
    directory: Path,
    *,
    record: Callable[[Event], Awaitable[object]],
    tell: Callable[[str, str], None],
    control: Callable[[], Control],
    clock: Callable[[], float],
    on_call: Callable[[], tuple[str, ...]] = tuple,
) -> Dispatcher:
    """Tells whom `installation` names; commands and token files are in `directory`."""
    routes = [
        Route(notifier(spec, directory), spec.severities, spec.retry_for_s)
        for spec in installation.notify
    ]
    return Dispatcher(
        routes,
        record=record,
        tell=tell,
        control=control,
        clock=clock,
        environment=installation.environment,
        installation=installation.name,
        on_call=on_call,
    )


def notifier(spec: NotifierSpec, directory: Path) -> Notifier:
    """The adapter of one notifier."""
    if spec.command:
        return CommandNotifier(
            spec.name, spec.command, timeout_s=spec.timeout_s, directory=directory
        )
    return WebhookNotifier(
        spec.name,
        spec.webhook,
        timeout_s=spec.timeout_s,
        shape=spec.shape,
        token_file=directory / spec.token_file if spec.token_file else None,
    )
