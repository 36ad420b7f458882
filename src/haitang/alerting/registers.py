"""The registers of feeds that are read and of senders that are trusted: declarations, nothing else."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from haitang.accounts.roles import Role
from haitang.alerting import panels
from haitang.alerting.models import FeedSource, TrustedSender
from haitang.frame import Menu
from haitang.registry.declare import Column, Register, register

READERS = frozenset({Role.ADMIN, Role.DUTY_OFFICER, Role.COMMANDER})
KEEPERS = frozenset({Role.ADMIN})

FEEDS = register(
    Register(
        model=FeedSource,
        slug="feed-sources",
        icon="rss",
        menu=Menu.WARNING,
        order=42,
        about=_("Whose warnings are read here, how often, and how that goes"),
        columns=(Column("code"), Column("name"), Column("url"), Column("every_s"), Column("now", label=_("Now"), values=panels.feeds_now)),
        filters=("form", "is_active"),
        search=("code", "name_zh", "name_en", "url"),
        searched=False,
        form=("code", "name_zh", "name_en", "url", "form", "every_s", "is_active", "note"),
        readers=READERS,
        editors=KEEPERS,
        removers=KEEPERS,
        panels=(panels.feed,),
        layer=None,
    )
)  # fmt: skip

TRUSTED = register(
    Register(
        model=TrustedSender,
        slug="trusted-senders",
        icon="certificate",
        menu=Menu.WARNING,
        order=44,
        about=_("By which certificates messages of others are known to be theirs"),
        columns=(Column("code"), Column("name"), Column("sender"), Column("valid_until"), Column("is_active")),
        filters=("is_active",),
        search=("code", "name_zh", "name_en", "sender", "fingerprint"),
        searched=False,
        form=("code", "name_zh", "name_en", "sender", "certificate", "is_active", "note"),
        readers=READERS,
        editors=KEEPERS,
        removers=KEEPERS,
        panels=(panels.certificate,),
        layer=None,
    )
)
