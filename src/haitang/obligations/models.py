"""What is stored: obligations, the evidence that they were met, and what came in by signed links."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from haitang.accounts.roles import OPERATIONS, Role
from haitang.accounts.scope import Scope, ScopedManager
from haitang.geo.names import localised
from haitang.obligations.kinds import Kind, kind_of
from haitang.obligations.ladder import Step, parse
from haitang.spaces.models import Space


class State(models.TextChoices):
    """Where an obligation stands."""

    ISSUED = "issued", pgettext_lazy("obligation", "Issued")
    RECEIVED = "received", pgettext_lazy("obligation", "Received")
    STARTED = "started", pgettext_lazy("obligation", "Started")
    DONE = "done", pgettext_lazy("obligation", "Done")
    CONFIRMED = "confirmed", pgettext_lazy("obligation", "Confirmed")
    REFUSED = "refused", pgettext_lazy("obligation", "Refused")
    WITHDRAWN = "withdrawn", pgettext_lazy("obligation", "Withdrawn")

    @property
    def colour(self) -> str:
        """What the state's badge wears."""
        return COLOURS[self]


COLOURS: dict[State, str] = {
    State.ISSUED: "yellow",
    State.RECEIVED: "blue",
    State.STARTED: "blue",
    State.DONE: "green",
    State.CONFIRMED: "green",
    State.REFUSED: "orange",
    State.WITHDRAWN: "grey",
}
# What may follow what; `services._move` is the only one that moves. Back to ISSUED leads only `reopen`.
MOVES: dict[State, frozenset[State]] = {
    State.ISSUED: frozenset({State.RECEIVED, State.STARTED, State.DONE, State.REFUSED, State.WITHDRAWN}),
    State.RECEIVED: frozenset({State.STARTED, State.DONE, State.REFUSED, State.WITHDRAWN}),
    State.STARTED: frozenset({State.DONE, State.REFUSED, State.WITHDRAWN}),
    State.DONE: frozenset({State.CONFIRMED, State.ISSUED}),
    State.CONFIRMED: frozenset({State.ISSUED}),
    State.REFUSED: frozenset({State.ISSUED, State.WITHDRAWN}),
    State.WITHDRAWN: frozenset({State.ISSUED}),
}
OPEN: Collection[State] = (State.ISSUED, State.RECEIVED, State.STARTED)


# What somebody must see to. Written as IN, because SQLite looks into an index for that and not for a bare boolean.
PENDING = Q(is_pending__in=(True,))


class Obligation(models.Model):
    """Something that an organisation (or a person of it) must do by some time. Times are of its space's clock."""

    space = models.ForeignKey(Space, models.PROTECT, related_name="obligations")
    kind = models.CharField(pgettext_lazy("obligation", "kind"), max_length=40)
    # The issuer's own name for it, so that issuing twice changes nothing.
    key = models.CharField(max_length=120, blank=True, editable=False)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.ISSUED)
    owner = models.ForeignKey(
        "accounts.Organisation", models.PROTECT, related_name="obligations", verbose_name=_("responsible organisation")
    )
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("responsible person"),
    )
    place = models.ForeignKey(
        "geo.Place",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="obligations",
        verbose_name=pgettext_lazy("obligation", "place"),
    )
    # What it is about: "alerting.warning" and its key.
    subject_type = models.CharField(max_length=60)
    subject_id = models.CharField(max_length=60)
    thread = models.CharField(max_length=80, blank=True)
    colour = models.CharField(_("colour"), max_length=10, blank=True)
    title_zh = models.CharField(_("title (Chinese)"), max_length=200)
    title_en = models.CharField(_("title (English)"), max_length=300, blank=True)
    detail_zh = models.TextField(_("detail (Chinese)"), blank=True)
    detail_en = models.TextField(_("detail (English)"), blank=True)
    url = models.CharField(max_length=200, blank=True)
    # The clause of plan or law that asks for it.
    clause = models.CharField(_("clause"), max_length=120, blank=True)
    data = models.JSONField(default=dict, blank=True)
    issued_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("issued by")
    )
    issued_at = models.DateTimeField(_("issued at"))
    # The issue or the last reopening: what the ladder counts from.
    opened_at = models.DateTimeField(_("opened at"))
    due_at = models.DateTimeField(pgettext_lazy("obligation", "due"), null=True, blank=True)
    # When the loop must look; None when there is nothing to look for.
    next_at = models.DateTimeField(null=True, blank=True, editable=False)
    ladder = models.JSONField(_("escalation ladder"), default=list, blank=True)
    # The rung that comes next, and how often it was reopened: together they name each step once.
    step = models.PositiveSmallIntegerField(default=0, editable=False)
    round = models.PositiveSmallIntegerField(default=0, editable=False)
    # Whether somebody still has to do, decide or confirm something: kept by every move, so that lists need not look at
    # everything that was ever asked.
    is_pending = models.BooleanField(default=True, editable=False)
    received_at = models.DateTimeField(_("received at"), null=True, blank=True)
    received_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")
    started_at = models.DateTimeField(_("started at"), null=True, blank=True)
    done_at = models.DateTimeField(_("done at"), null=True, blank=True)
    done_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("done by")
    )
    done_note = models.CharField(pgettext_lazy("obligation", "note"), max_length=1000, blank=True)
    done_lon = models.FloatField(_("longitude"), null=True, blank=True)
    done_lat = models.FloatField(_("latitude"), null=True, blank=True)
    confirmed_at = models.DateTimeField(_("confirmed at"), null=True, blank=True)
    refused_at = models.DateTimeField(_("refused at"), null=True, blank=True)
    refused_reason = models.CharField(pgettext_lazy("obligation", "reason"), max_length=500, blank=True)
    overdue_at = models.DateTimeField(_("overdue since"), null=True, blank=True)

    scope = Scope(place="place__path", organisation="owner__path", person="person")
    objects = ScopedManager()

    class Meta:
        verbose_name = _("obligation")
        verbose_name_plural = _("obligations")
        ordering = ("-issued_at", "-pk")
        constraints = [
            models.UniqueConstraint(fields=["space", "key"], condition=~Q(key=""), name="obligations_key_once")
        ]
        indexes = [
            # run_due takes what is due from here.
            models.Index(fields=["space", "next_at"], name="obligations_due", condition=Q(next_at__isnull=False)),
            # The desk, the list and the wall ask for the PENDING ones.
            models.Index(fields=["space", "is_pending", "owner"], name="obligations_pending"),
            models.Index(fields=["space", "-issued_at"], name="obligations_record"),
            models.Index(fields=["subject_type", "subject_id"], name="obligations_subject"),
            models.Index(fields=["space", "thread"], name="obligations_thread"),
        ]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        """The obligation's page."""
        return reverse("obligations:detail", args=[self.pk])

    @property
    def title(self) -> str:
        """What must be done, in the reader's language."""
        return localised(self.title_zh, self.title_en)

    @property
    def detail(self) -> str:
        """How it must be done, in the reader's language."""
        return localised(self.detail_zh, self.detail_en)

    @property
    def kind_info(self) -> Kind:
        """The declared kind with its words and rules."""
        return kind_of(self.kind)

    @property
    def state_info(self) -> State:
        """The state with its label and colour."""
        return State(self.state)

    @property
    def is_open(self) -> bool:
        """Whether the owner still has to do something."""
        return self.state in OPEN

    @property
    def must_be_seen_to(self) -> bool:
        """What `is_pending` must be: open, refused, or done and to be confirmed."""
        return self.is_open or self.state == State.REFUSED or self.awaits_confirmation

    @property
    def needed(self) -> int:
        """How many persons must confirm it before it counts as done."""
        return max(1, int(self.data.get("confirmations") or 1))

    @property
    def is_overdue(self) -> bool:
        """Whether it is open and its time is over (as the loop has marked it)."""
        return self.is_open and self.overdue_at is not None

    @property
    def awaits_confirmation(self) -> bool:
        """Whether it was done and somebody must confirm that."""
        return self.state == State.DONE and self.kind_info.needs_confirmation

    @property
    def is_late(self) -> bool:
        """Whether it was done after its due time."""
        return bool(self.due_at and self.done_at and self.done_at > self.due_at)

    @property
    def shade(self) -> str:
        """The colour that the row wears: red once overdue, else its own, else its state's."""
        return "red" if self.is_overdue else self.colour if self.is_open and self.colour else self.state_info.colour

    @property
    def steps(self) -> tuple[Step, ...]:
        """The ladder's rungs."""
        return parse(self.ladder)

    @property
    def own_thread(self) -> str:
        """The journal's thread: of the larger thing it was issued for, else its own."""
        return self.thread or f"{self._meta.label_lower}:{self.pk}"

    def subject(self) -> models.Model | None:
        """The thing it is about, None if it is gone. One query."""
        try:
            model = apps.get_model(self.subject_type)
        except (LookupError, ValueError):
            return None
        found: Any = model._default_manager.filter(pk=self.subject_id).first()
        return found


class Reply(models.Model):
    """What one person answered where several must confirm, or that he cannot: a negative answer ends nothing."""

    obligation = models.ForeignKey(Obligation, models.CASCADE, related_name="replies")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    # Of which round: asked for again, everybody answers again.
    round = models.PositiveSmallIntegerField(default=0)
    is_negative = models.BooleanField(_("negative"), default=False)
    note = models.CharField(pgettext_lazy("obligation", "note"), max_length=500, blank=True)
    at = models.DateTimeField(_("time"))

    scope = Scope(place="obligation__place__path", organisation="obligation__owner__path", person="obligation__person")
    objects = ScopedManager()

    class Meta:
        verbose_name = pgettext_lazy("obligation", "answer of one person")
        verbose_name_plural = pgettext_lazy("obligation", "answers of single persons")
        ordering = ("at", "pk")
        constraints = [models.UniqueConstraint(fields=["obligation", "user", "round"], name="obligations_reply_once")]

    def __str__(self) -> str:
        return str(self.user)


class Evidence(models.Model):
    """A photograph or file that shows what was done. It lies outside any public address and is served by scope."""

    obligation = models.ForeignKey(Obligation, models.PROTECT, related_name="evidence")
    # Under MEDIA_ROOT, named by its content.
    path = models.CharField(max_length=120, editable=False)
    name = models.CharField(_("file name"), max_length=120)
    content_type = models.CharField(max_length=40)
    size = models.PositiveIntegerField(_("size"))
    sha256 = models.CharField(max_length=64, editable=False)
    note = models.CharField(pgettext_lazy("obligation", "note"), max_length=300, blank=True)
    lon = models.FloatField(_("longitude"), null=True, blank=True)
    lat = models.FloatField(_("latitude"), null=True, blank=True)
    added_at = models.DateTimeField(_("added at"))
    added_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")

    scope = Scope(place="obligation__place__path", organisation="obligation__owner__path", person="obligation__person")
    objects = ScopedManager()

    class Meta:
        verbose_name = _("evidence")
        verbose_name_plural = _("evidence")
        ordering = ("added_at", "pk")
        constraints = [models.UniqueConstraint(fields=["obligation", "sha256"], name="obligations_evidence_once")]

    def __str__(self) -> str:
        return self.name

    @property
    def is_image(self) -> bool:
        """Whether it can be shown as a picture."""
        return self.content_type.startswith("image/")

    def get_absolute_url(self) -> str:
        """Where it is served to whoever may see the obligation."""
        return reverse("obligations:evidence", args=[self.pk])


class LinkOutcome(models.TextChoices):
    """What became of a visit by signed link."""

    SEEN = "seen", pgettext_lazy("link", "Opened")
    USED = "used", pgettext_lazy("link", "Answered")
    FORGED = "forged", pgettext_lazy("link", "Forged or cut off")
    EXPIRED = "expired", pgettext_lazy("link", "Expired")
    LIMITED = "limited", pgettext_lazy("link", "Turned away, too many bad ones")


class LinkCount(models.Model):
    """How often signed links were opened, used, forged or expired, by day (of the server's own clock)."""

    day = models.DateField(_("day"))
    outcome = models.CharField(_("outcome"), max_length=8, choices=LinkOutcome)
    number = models.PositiveIntegerField(pgettext_lazy("obligation", "number"), default=0)

    scope = Scope(roles=OPERATIONS | {Role.ADMIN})
    objects = ScopedManager()

    class Meta:
        verbose_name = _("visits by signed link")
        verbose_name_plural = _("visits by signed link")
        ordering = ("-day", "outcome")
        constraints = [models.UniqueConstraint(fields=["day", "outcome"], name="obligations_link_count_once")]

    def __str__(self) -> str:
        return f"{self.day} {self.outcome} {self.number}"
