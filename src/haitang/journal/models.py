"""The journal: one append-only, hash-chained record per space."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from haitang.accounts.roles import OFFICIALS
from haitang.accounts.scope import Scope, ScopedManager
from haitang.geo.names import localised
from haitang.spaces.models import Space


class JournalEdited(RuntimeError):
    """Somebody tried to change or remove a journal entry through the product."""


class Head(models.Model):
    """The end of a space's chain. Locking this row puts writers in one order; its hash shows a cut-off tail."""

    space = models.OneToOneField(Space, models.PROTECT, primary_key=True, related_name="journal_head")
    seq = models.PositiveBigIntegerField(default=0)
    hash = models.CharField(max_length=64, default="0" * 64)


class Entry(models.Model):
    """One thing that happened: who, what, when, where, before and after, chained to the entry before it."""

    space = models.ForeignKey(Space, models.PROTECT, related_name="entries")
    seq = models.PositiveBigIntegerField()
    at = models.DateTimeField(_("time"))
    recorded_at = models.DateTimeField(_("recorded at"))
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")
    actor_name = models.CharField(_("by"), max_length=80)
    verb = models.CharField(_("action"), max_length=60, db_index=True)
    subject_type = models.CharField(max_length=60)
    subject_id = models.CharField(max_length=60)
    # The larger thing this belongs to ("incidents.incident:7"), so that an incident's timeline is one query.
    thread = models.CharField(max_length=80, blank=True)
    # Null and not empty: an empty path would be the beginning of every other.
    place_path = models.CharField(max_length=120, null=True, blank=True)  # noqa: DJ001
    organisation_path = models.CharField(max_length=240, null=True, blank=True)  # noqa: DJ001
    colour = models.CharField(max_length=10, blank=True)
    text_zh = models.CharField(_("what happened"), max_length=400, blank=True)
    text_en = models.CharField(max_length=400, blank=True)
    url = models.CharField(max_length=200, blank=True)
    before = models.JSONField(null=True, blank=True)
    after = models.JSONField(null=True, blank=True)
    prev = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    scope = Scope(place="place_path", organisation="organisation_path", person="actor", roles=OFFICIALS)
    objects = ScopedManager()

    class Meta:
        verbose_name = _("journal entry")
        verbose_name_plural = _("journal")
        ordering = ("-id",)
        constraints = [models.UniqueConstraint(fields=["space", "seq"], name="journal_seq_once")]
        indexes = [
            models.Index(fields=["subject_type", "subject_id"]),
            models.Index(fields=["thread", "id"]),
            models.Index(fields=["space", "id"]),
        ]

    def __str__(self) -> str:
        return self.text or self.verb

    @property
    def text(self) -> str:
        """What happened, in the reader's language."""
        return localised(self.text_zh, self.text_en)

    def save(self, *args: object, **kwargs: object) -> None:
        """Entries are written once, by the journal's own service."""
        if self.pk:
            raise JournalEdited("A journal entry cannot be changed; record a new one")
        super().save(*args, **kwargs)  # type: ignore[arg-type]

    def delete(self, *args: object, **kwargs: object) -> tuple[int, dict[str, int]]:
        """Refused."""
        raise JournalEdited("A journal entry cannot be removed")
