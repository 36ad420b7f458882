"""Papers of an incident: orders given, reports sent up, the evaluation; and the rules by which reports are due."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from haitang.accounts.models import Organisation, User
from haitang.accounts.roles import OFFICIALS, SEES_PLACE, STAFF, Role
from haitang.accounts.scope import Scope, ScopedManager
from haitang.geo.names import localised
from haitang.incidents.models.incident import Category, Incident, IncidentScope
from haitang.plans.models import ResponseLevel


class OrderScope(Scope):
    """Orders are seen where their incident lies, and by the organisations they are for."""

    def condition(self, user: User | AnonymousUser) -> Q:
        """The orders this user sees."""
        if not user.is_authenticated or not user.is_active or getattr(user, "role", "") not in STAFF:
            return Q(pk__in=())
        assert isinstance(user, User)
        organisation = user.organisation
        if organisation is None:
            return Q(pk__in=())
        mine = Order.organisations.through.objects.filter(
            order=OuterRef("pk"), organisation__path__startswith=organisation.path
        )
        seen = Q(Exists(mine))
        if organisation.place and user.role in SEES_PLACE:
            seen |= Q(incident__place__path__startswith=organisation.place.path)
        return seen


class Order(models.Model):
    """A leader's instruction, spoken or written, that organisations must carry out and answer."""

    incident = models.ForeignKey(Incident, models.PROTECT, related_name="orders")
    text = models.TextField(_("instruction"))
    leader = models.CharField(_("given by"), max_length=80)
    given_at = models.DateTimeField(_("given"))
    due_at = models.DateTimeField(_("due"), null=True, blank=True)
    noted_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")
    organisations = models.ManyToManyField(Organisation, related_name="+", verbose_name=_("for"))
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    scope = OrderScope()
    objects = ScopedManager()

    class Meta:
        verbose_name = pgettext_lazy("response", "order")
        verbose_name_plural = pgettext_lazy("response", "orders")
        ordering = ("-given_at", "-pk")

    def __str__(self) -> str:
        return self.text

    def get_absolute_url(self) -> str:
        """The incident's page at the orders."""
        return f"{self.incident.get_absolute_url()}#orders"


class Stage(models.TextChoices):
    """Which report in the row of reports."""

    FIRST = "first", _("First report")  # 初报
    FOLLOW = "follow", _("Follow-up report")  # 续报
    FINAL = "final", _("Final report")  # 终报


class ReportRule(models.Model):
    """By when a report is due, to whom, by which clause. Comes from the pack; an administrator can change it."""

    code = models.SlugField(_("code"), max_length=60, unique=True)
    stage = models.CharField(_("report"), max_length=6, choices=Stage)
    # Which events it is for: empty means every one; the most particular rule counts.
    category = models.CharField(_("kind of event"), max_length=8, choices=Category, blank=True)
    hazard = models.CharField(_("hazard"), max_length=40, blank=True)
    # The mildest level it is for: III means III, II and I.
    level = models.PositiveSmallIntegerField(_("from level"), choices=ResponseLevel, default=ResponseLevel.IV)
    # Counted from the start (first), from the report before (follow-up), from the end (final).
    written_minutes = models.PositiveIntegerField(_("written within (minutes)"))
    phone_minutes = models.PositiveIntegerField(_("by telephone within (minutes)"), null=True, blank=True)
    addressee_zh = models.CharField(_("addressee"), max_length=120)
    addressee_en = models.CharField(max_length=160, blank=True)
    law = models.CharField(_("legal basis"), max_length=160)
    clause = models.CharField(_("clause"), max_length=60, blank=True)
    since = models.DateField(_("in force since"), null=True, blank=True)
    is_active = models.BooleanField(_("in use"), default=True)

    scope = Scope(roles=OFFICIALS)
    objects = ScopedManager()

    class Meta:
        verbose_name = _("report rule")
        verbose_name_plural = _("report rules")
        ordering = ("stage", "written_minutes", "code")

    def __str__(self) -> str:
        return self.code

    @property
    def addressee(self) -> str:
        """To whom, in the reader's language."""
        return localised(self.addressee_zh, self.addressee_en)


class Report(models.Model):
    """A report to the government above: asked for with a running limit, drafted from the record, frozen when sent."""

    incident = models.ForeignKey(Incident, models.PROTECT, related_name="reports")
    stage = models.CharField(_("report"), max_length=6, choices=Stage)
    number = models.PositiveSmallIntegerField(_("number"))
    rule = models.ForeignKey(ReportRule, models.SET_NULL, null=True, blank=True, related_name="+")
    addressee_zh = models.CharField(_("addressee"), max_length=120)
    addressee_en = models.CharField(max_length=160, blank=True)
    # As they stood when the report became due: a later change of the rule does not move a running clock.
    law = models.CharField(_("legal basis"), max_length=160, blank=True)
    clause = models.CharField(_("clause"), max_length=60, blank=True)
    asked_at = models.DateTimeField(_("asked for"))
    due_at = models.DateTimeField(_("due in writing"), null=True, blank=True)
    phone_due_at = models.DateTimeField(_("due by telephone"), null=True, blank=True)
    phoned_at = models.DateTimeField(_("telephoned"), null=True, blank=True)
    text = models.TextField(_("text"), blank=True)
    edited_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True)
    sent_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("sent by")
    )
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    sha256 = models.CharField(max_length=64, blank=True, editable=False)

    scope = Scope(place="incident__place__path", organisation="incident__owner__path", roles=OFFICIALS | {Role.MACHINE})
    objects = ScopedManager()

    class Meta:
        verbose_name = pgettext_lazy("upward", "report")
        verbose_name_plural = pgettext_lazy("upward", "reports")
        ordering = ("incident", "number")
        constraints = [models.UniqueConstraint(fields=["incident", "number"], name="incidents_report_number")]

    def __str__(self) -> str:
        return self.title

    def save(self, *args: object, **kwargs: object) -> None:
        """What was sent stays as it was sent."""
        if self.pk and Report.objects.filter(pk=self.pk, sent_at__isnull=False).exists():
            raise ValueError("a report that was sent cannot be changed: write a follow-up")
        super().save(*args, **kwargs)  # type: ignore[arg-type]

    def get_absolute_url(self) -> str:
        """The report's page."""
        return reverse("incidents:report", args=[self.pk])

    @property
    def title(self) -> str:
        """Which report, in the reader's language."""
        from django.utils.translation import gettext

        label = Stage(self.stage).label
        return (
            gettext("%(stage)s %(number)s") % {"stage": label, "number": self.number}
            if self.stage == Stage.FOLLOW
            else str(label)
        )

    @property
    def title_zh(self) -> str:
        """Which report, as Chinese documents write it."""
        return {"first": "初报", "follow": f"续报（{self.number - 1}）", "final": "终报"}[self.stage]

    @property
    def addressee(self) -> str:
        """To whom, in the reader's language."""
        return localised(self.addressee_zh, self.addressee_en)

    @property
    def is_sent(self) -> bool:
        """Whether it is out, and frozen."""
        return self.sent_at is not None

    @property
    def is_late(self) -> bool:
        """Whether it went out after its time."""
        return bool(self.sent_at and self.due_at and self.sent_at > self.due_at)

    @property
    def is_open(self) -> bool:
        """Whether it must still be sent."""
        return self.sent_at is None and self.withdrawn_at is None


class Evaluation(models.Model):
    """What was learnt: the evaluator's words and the time table as it stood. A later one follows, none is changed."""

    incident = models.ForeignKey(Incident, models.PROTECT, related_name="evaluations")
    at = models.DateTimeField(_("time"))
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")
    summary = models.TextField(_("summary"))
    lessons = models.TextField(_("what is to be done better"), blank=True)
    table = models.JSONField(default=dict)

    scope = IncidentScope("incident__")
    objects = ScopedManager()

    class Meta:
        verbose_name = _("evaluation")
        verbose_name_plural = _("evaluations")
        ordering = ("-at", "-pk")
