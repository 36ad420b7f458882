"""Which group robot or webhook an organisation has: its own, else that of the nearest organisation above it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from haitang.accounts.models import Organisation
from haitang.delivery.models import Hook


def nearest(channel: str, organisations: Iterable[Organisation]) -> Mapping[int, Hook]:
    """The hook of each organisation that has one, by the organisation's id. One query."""
    hooks = {
        hook.organisation.path: hook
        for hook in Hook.objects.filter(channel=channel, is_active=True).select_related("organisation")
    }
    found: dict[int, Hook] = {}
    if not hooks:
        return found
    for organisation in organisations:
        codes = organisation.path.rstrip("/").split("/")
        for depth in range(len(codes), 0, -1):
            hook = hooks.get("".join(f"{code}/" for code in codes[:depth]))
            if hook is not None:
                found[organisation.pk] = hook
                break
    return found
