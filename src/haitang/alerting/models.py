"""What is stored of warnings: our own, those received, their words, and who asked to be told."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from haitang.accounts.models import Organisation, User
from haitang.accounts.roles import Role
from haitang.accounts.scope import Scope, ScopedManager, ScopedQuerySet
from haitang.alerting import cap_model, cap_signature
from haitang.alerting.colours import Colour
from haitang.geo.fields import GeometryMixin, GeometryVerbs
from haitang.geo.models import Place
from haitang.geo.names import localised
from haitang.spaces.models import Space, SpaceKind


class ColourChoice(models.TextChoices):
    """The four colours, as officials name them."""

    RED = "red", _("Red")
    ORANGE = "orange", _("Orange")
    YELLOW = "yellow", _("Yellow")
    BLUE = "blue", _("Blue")

    @property
    def colour(self) -> str:
        """What its badge wears: itself."""
        return self.value


class State(models.TextChoices):
    """The life of a warning."""

    DRAFT = "draft", _("Draft")
    SUBMITTED = "submitted", _("Waiting for approval")
    APPROVED = "approved", _("Approved")
    PUBLISHED = "published", _("In force")
    UPDATED = "updated", _("Replaced by an update")
    CANCELLED = "cancelled", _("Cancelled")
    EXPIRED = "expired", _("Expired")
    DISCARDED = "discarded", _("Discarded")

    @property
    def colour(self) -> str:
        """The colour of its badge."""
        return _STATE_COLOURS.get(self.value, "grey")


_STATE_COLOURS = {"submitted": "yellow", "approved": "blue", "published": "green"}
# From each state, the states it can move to; `services._move` is the only one that moves.
MOVES: dict[str, frozenset[str]] = {
    State.DRAFT: frozenset({State.SUBMITTED, State.DISCARDED}),
    State.SUBMITTED: frozenset({State.APPROVED, State.DRAFT, State.DISCARDED}),
    State.APPROVED: frozenset({State.PUBLISHED, State.DRAFT, State.DISCARDED}),
    State.PUBLISHED: frozenset({State.UPDATED, State.CANCELLED, State.EXPIRED}),
}
# Once published a warning is a record: these are the states in which others may read it.
OPEN_STATES = (State.PUBLISHED, State.UPDATED, State.CANCELLED, State.EXPIRED)


class MsgType(models.TextChoices):
    """What a message does to the one before it."""

    ALERT = "Alert", _("New warning")
    UPDATE = "Update", _("Update")
    CANCEL = "Cancel", _("Cancellation")


class Status(models.TextChoices):
    """Whether it is meant."""

    ACTUAL = "Actual", _("Actual")
    EXERCISE = "Exercise", _("Exercise")
    SYSTEM = "System", _("System")
    TEST = "Test", _("Test")
    DRAFT = "Draft", _("Draft message")


class CapScope(models.TextChoices):
    """Whom it may reach."""

    PUBLIC = "Public", pgettext_lazy("warning scope", "Public")
    RESTRICTED = "Restricted", pgettext_lazy("warning scope", "Restricted")
    PRIVATE = "Private", _("Named addressees")


class Audience(models.TextChoices):
    """To whom a warning is sent."""

    RESPONSIBLE = "responsible", _("Responsible persons of the townships")
    DEPARTMENTS = "departments", _("Departments concerned")
    RESIDENTS = "residents", _("Residents who asked to be told")
    PUBLIC = "public", _("Public page and feed")
    LOUDSPEAKER = "loudspeaker", _("Village loudspeakers")


PUBLIC_AUDIENCES = frozenset({Audience.RESIDENTS, Audience.PUBLIC, Audience.LOUDSPEAKER})


class EventKind(models.Model):
    """One kind of event that is warned of, with its national code. Comes from the pack and can be edited."""

    code = models.CharField(_("event code"), max_length=10, unique=True)
    hazard = models.SlugField(_("hazard"), max_length=40, db_index=True)
    name_zh = models.CharField(_("name (Chinese)"), max_length=40)
    name_en = models.CharField(_("name (English)"), max_length=60, blank=True)
    categories = models.JSONField(_("CAP categories"), default=list)
    response_types = models.JSONField(_("CAP response types"), default=list)
    # What is measured that announces this kind ("rain", "tide_level"): a draft from an alarm starts with it.
    quantities = models.JSONField(_("announced by"), default=list, blank=True)
    # The departments that must be told of this kind.
    departments = models.ManyToManyField(Organisation, blank=True, related_name="+", verbose_name=_("departments told"))
    is_active = models.BooleanField(_("in use"), default=True)
    source = models.CharField(_("source"), max_length=300, blank=True)

    scope = Scope(public=Q())
    objects = ScopedManager()

    class Meta:
        verbose_name = _("event kind")
        verbose_name_plural = _("event kinds")
        ordering = ("code",)

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """The name in the reader's language."""
        return localised(self.name_zh, self.name_en)


class WarningTemplate(models.Model):
    """The words for one kind and colour. Placeholders: see `wording.FIELDS`."""

    kind = models.ForeignKey(EventKind, models.CASCADE, related_name="templates")
    colour = models.CharField(_("colour"), max_length=8, choices=ColourChoice)
    headline_zh = models.CharField(_("headline (Chinese)"), max_length=200)
    headline_en = models.CharField(_("headline (English)"), max_length=300, blank=True)
    description_zh = models.TextField(_("description (Chinese)"))
    description_en = models.TextField(_("description (English)"), blank=True)
    instruction_zh = models.TextField(_("what to do (Chinese)"))
    instruction_en = models.TextField(_("what to do (English)"), blank=True)
    valid_hours = models.FloatField(_("valid for (hours)"), default=12)
    source = models.CharField(_("source"), max_length=300, blank=True)

    scope = Scope(signed_in=True)
    objects = ScopedManager()

    class Meta:
        verbose_name = _("warning template")
        verbose_name_plural = _("warning templates")
        constraints = [models.UniqueConstraint(fields=["kind", "colour"], name="alerting_template_once")]

    def __str__(self) -> str:
        return f"{self.kind} {self.get_colour_display()}"


class Policy(models.Model):
    """How a district issues warnings: who signs, how fast an answer is due, how silence is escalated. One row."""

    sender = models.CharField(_("issuing unit's code"), max_length=14)
    sender_name_zh = models.CharField(_("issuing unit (Chinese)"), max_length=80)
    sender_name_en = models.CharField(_("issuing unit (English)"), max_length=120, blank=True)
    contact = models.CharField(_("contact"), max_length=120, blank=True)
    # Minutes until an answer is due, by colour.
    answer_minutes = models.JSONField(_("minutes to answer"), default=dict)
    # Steps of the escalation ladder as obligations takes them.
    ladder = models.JSONField(_("calling ladder"), default=list)
    link_hours = models.FloatField(_("answer links are valid for (hours)"), default=48)
    # Confirmations needed by colour, minutes between waves, colours that go by cell broadcast: see `rulebook.reach_of`.
    reach = models.JSONField(_("waves and confirmations"), default=dict, blank=True)
    source = models.CharField(_("source"), max_length=300, blank=True)

    scope = Scope(signed_in=True)
    objects = ScopedManager()

    class Meta:
        verbose_name = _("warning policy")
        verbose_name_plural = _("warning policies")

    def __str__(self) -> str:
        return self.sender_name_zh


def place_chain(path: str) -> list[str]:
    """The paths of a place and of everything above it: "a/b/" gives "a/", "a/b/"."""
    parts = path.rstrip("/").split("/")
    return ["/".join(parts[: n + 1]) + "/" for n in range(len(parts))]


class WarningScope(Scope):
    """Who sees warnings.

    Whoever may see the issuing place (drafts too); all officials whose place they name, once published; everybody, once
    published as Actual and Public in the live space.
    """

    def condition(self, user: User | AnonymousUser) -> Q:
        """The warnings this user sees."""
        seen = PUBLIC
        if not user.is_authenticated or not user.is_active:
            return seen
        assert isinstance(user, User)
        place = user.organisation.place if user.organisation else None
        if place is None:
            return seen
        if user.role in (Role.ADMIN, Role.DUTY_OFFICER, Role.COMMANDER, Role.DEPARTMENT):
            seen |= Q(place__path__startswith=place.path)
        if user.role not in (Role.RESIDENT, Role.MACHINE):
            near = WarningPlace.objects.filter(warning=OuterRef("pk")).filter(
                Q(place__path__startswith=place.path) | Q(place__path__in=place_chain(place.path))
            )
            seen |= Q(state__in=OPEN_STATES) & Q(Exists(near))
        return seen


PUBLIC = Q(
    state__in=OPEN_STATES, status=Status.ACTUAL, cap_scope=CapScope.PUBLIC, is_public=True, space__kind=SpaceKind.LIVE
)


class WarningQuerySet(GeometryVerbs, ScopedQuerySet):
    """Warnings with the spatial verbs and their own questions."""

    def in_force(self, at: datetime) -> WarningQuerySet:
        """Published, not ended, not expired at that time; cancellations are not in force."""
        return self.filter(state=State.PUBLISHED, expires__gt=at).exclude(msg_type=MsgType.CANCEL)

    def public(self) -> WarningQuerySet:
        """Those the public may see, the only ones on the public page and in the feed."""
        return self.filter(PUBLIC)


class Warning(GeometryMixin):
    """One warning message: an Alert, an Update of one before it, or its Cancellation."""

    space = models.ForeignKey(Space, models.PROTECT, related_name="warnings")
    # Unique in its space: the same exercise played twice at the same hour names its messages alike.
    identifier = models.CharField(_("identifier"), max_length=40, blank=True, editable=False)
    msg_type = models.CharField(_("message type"), max_length=8, choices=MsgType, default=MsgType.ALERT)
    status = models.CharField(_("status"), max_length=8, choices=Status)
    cap_scope = models.CharField(_("scope"), max_length=10, choices=CapScope)
    note = models.CharField(_("note of the message"), max_length=200, blank=True)
    kind = models.ForeignKey(EventKind, models.PROTECT, related_name="warnings", verbose_name=_("kind of event"))
    colour = models.CharField(_("colour"), max_length=8, choices=ColourChoice)
    urgency = models.CharField(_("urgency"), max_length=10, choices=[(v, v) for v in cap_model.URGENCY])
    certainty = models.CharField(_("certainty"), max_length=10, choices=[(v, v) for v in cap_model.CERTAINTY])
    place = models.ForeignKey(Place, models.PROTECT, related_name="+", verbose_name=_("issued for"))
    owner = models.ForeignKey(Organisation, models.PROTECT, related_name="+", verbose_name=_("issuing organisation"))
    # Chosen areas are in WarningPlace; `geometry` is what was drawn, None where only places were chosen.
    headline_zh = models.CharField(_("headline (Chinese)"), max_length=200)
    headline_en = models.CharField(_("headline (English)"), max_length=300, blank=True)
    description_zh = models.TextField(_("description (Chinese)"))
    description_en = models.TextField(_("description (English)"), blank=True)
    instruction_zh = models.TextField(_("what to do (Chinese)"), blank=True)
    instruction_en = models.TextField(_("what to do (English)"), blank=True)
    onset = models.DateTimeField(_("event begins"), null=True, blank=True)
    expires = models.DateTimeField(_("valid until"))
    audiences = models.JSONField(_("audiences"), default=list)
    # Kept beside `audiences` so that the public condition is one indexed column.
    is_public = models.BooleanField(default=False, editable=False)
    parent = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="followers")
    root = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="chain")
    # What gave rise to it: an alarm's address and time, for the latency from alarm to warning.
    cause = models.CharField(_("cause"), max_length=80, blank=True, db_index=True)
    cause_zh = models.CharField(max_length=300, blank=True)
    cause_en = models.CharField(max_length=300, blank=True)
    cause_at = models.DateTimeField(null=True, blank=True)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.DRAFT)
    composed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    composed_at = models.DateTimeField(_("composed at"))
    # Whoever last touched the words, or put them forward, is not a second pair of eyes either.
    edited_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    submitted_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    submitted_at = models.DateTimeField(_("submitted at"), null=True, blank=True)
    approved_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    approved_at = models.DateTimeField(_("approved at"), null=True, blank=True)
    approved_digest = models.CharField(max_length=64, blank=True)
    reply = models.CharField(_("approver's remark"), max_length=300, blank=True)
    published_at = models.DateTimeField(_("published at"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)
    # The message as it went out, frozen: what is served, signed and archived are these bytes.
    cap_xml = models.BinaryField(null=True, editable=False)
    sha256 = models.CharField(max_length=64, blank=True, editable=False)
    # Fingerprint of the certificate that signed it; empty where it went out unsigned (an exercise without a key).
    signer = models.CharField(max_length=64, blank=True, editable=False)
    # The words for areas of another colour than the warning's own: {"yellow": {"headline_zh": ..., ...}}.
    levels = models.JSONField(_("words by colour"), default=dict, blank=True)

    scope = WarningScope()
    objects = ScopedManager.from_queryset(WarningQuerySet)()

    class Meta(GeometryMixin.Meta):
        verbose_name = _("warning")
        verbose_name_plural = _("warnings")
        ordering = ("-composed_at", "-pk")
        indexes = [
            models.Index(fields=["space", "state", "-composed_at"], name="alerting_warning_list"),
            # expire_due takes what is due from here.
            models.Index(fields=["expires"], name="alerting_warning_due", condition=Q(state="published")),
            models.Index(fields=["west", "south", "east", "north"], name="alerting_warning_box"),
        ]
        constraints = [
            # A message is followed by one other; a fork would leave two truths. Discarded drafts do not count.
            models.UniqueConstraint(
                fields=["parent"], condition=~Q(state="discarded"), name="alerting_warning_no_fork"
            ),
            models.UniqueConstraint(
                fields=["space", "identifier"], condition=~Q(identifier=""), name="alerting_identifier"
            ),
        ]

    def __str__(self) -> str:
        return self.headline

    def get_absolute_url(self) -> str:
        """The warning's page for those who work with it."""
        return reverse("alerting:warning", args=[self.pk])

    @property
    def headline(self) -> str:
        """The headline in the reader's language."""
        return localised(self.headline_zh, self.headline_en)

    @property
    def description(self) -> str:
        """The description in the reader's language."""
        return localised(self.description_zh, self.description_en)

    @property
    def instruction(self) -> str:
        """What to do, in the reader's language."""
        return localised(self.instruction_zh, self.instruction_en)

    @property
    def cause_text(self) -> str:
        """What gave rise to it, in the reader's language."""
        return localised(self.cause_zh, self.cause_en)

    @property
    def hue(self) -> Colour:
        """The colour with its rank and CAP severity."""
        return Colour(self.colour)

    @property
    def state_info(self) -> State:
        """The state with its label and colour."""
        return State(self.state)

    @property
    def state_label(self) -> Any:
        """What the state is called; a cancellation that went out is not itself in force."""
        done = self.state == State.PUBLISHED and self.msg_type == MsgType.CANCEL
        return _("Has been published") if done else self.state_info.label

    @property
    def colour_info(self) -> ColourChoice:
        """The colour with its label."""
        return ColourChoice(self.colour)

    @property
    def is_open(self) -> bool:
        """Whether it has been published."""
        return self.state in OPEN_STATES

    @property
    def is_in_force(self) -> bool:
        """Whether it stands: published, and no cancellation."""
        return self.state == State.PUBLISHED and self.msg_type != MsgType.CANCEL

    @property
    def may_reach_public(self) -> bool:
        """Whether a public channel may carry it: Actual, Public, in the live space. The one place that says so."""
        return self.status == Status.ACTUAL and self.cap_scope == CapScope.PUBLIC and not self.space.is_exercise

    @property
    def may_leave(self) -> bool:
        """Whether it may stand on the public page and in the feed: may reach the public, and is meant for it."""
        return self.may_reach_public and self.is_public

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Keep the public flag true to the audiences, and the frozen message frozen."""
        self.is_public = Audience.PUBLIC in self.audiences
        if kwargs.get("update_fields") is not None and "audiences" in kwargs["update_fields"]:
            kwargs["update_fields"] = [*kwargs["update_fields"], "is_public"]
        if self.pk and (kwargs.get("update_fields") is None or "cap_xml" in kwargs["update_fields"]):
            before = Warning.objects.filter(pk=self.pk).values_list("sha256", flat=True).first()
            if before and before != self.sha256:
                raise ValueError(f"warning {self.identifier} is published: its message cannot be changed, only updated")
        super().save(*args, **kwargs)


class WarningPlace(models.Model):
    """A place a warning is for: chosen, or touched by what was drawn (then it says whom to ask, not the area)."""

    warning = models.ForeignKey(Warning, models.CASCADE, related_name="areas")
    place = models.ForeignKey(Place, models.PROTECT, related_name="+")
    is_chosen = models.BooleanField(_("chosen"), default=True)
    # Its own colour where one warning holds several; what only a drawing touches has the warning's.
    colour = models.CharField(_("colour"), max_length=8, choices=ColourChoice, blank=True)

    class Meta:
        ordering = ("place__path",)
        constraints = [models.UniqueConstraint(fields=["warning", "place"], name="alerting_place_once")]

    def save(self, *args: Any, **kwargs: Any) -> None:
        """A place without a colour of its own has the warning's."""
        self.colour = self.colour or self.warning.colour
        super().save(*args, **kwargs)

    @property
    def colour_info(self) -> ColourChoice:
        """The colour with its label."""
        return ColourChoice(self.colour or self.warning.colour)


class WarningResource(models.Model):
    """A file that goes with a warning: a map, a picture, a recording."""

    warning = models.ForeignKey(Warning, models.CASCADE, related_name="resources")
    number = models.PositiveSmallIntegerField(_("number"))
    description_zh = models.CharField(_("what it is (Chinese)"), max_length=100)
    description_en = models.CharField(_("what it is (English)"), max_length=150, blank=True)
    name = models.CharField(_("file name"), max_length=100)
    mime_type = models.CharField(_("file type"), max_length=60)
    size = models.PositiveIntegerField(_("size"))
    # CAP's digest is SHA-1; it finds a damaged transfer and proves nothing.
    sha1 = models.CharField(max_length=40)
    content = models.BinaryField()

    class Meta:
        verbose_name = _("file of a warning")
        verbose_name_plural = _("files of warnings")
        ordering = ("number",)
        constraints = [models.UniqueConstraint(fields=["warning", "number"], name="alerting_resource_once")]

    def __str__(self) -> str:
        return self.description

    @property
    def description(self) -> str:
        """What it is, in the reader's language."""
        return localised(self.description_zh, self.description_en)


class TrustedSender(models.Model):
    """A certificate pinned for a sender of CAP messages: only what it signed counts as that sender's."""

    code = models.SlugField(_("short name"), max_length=40, unique=True)
    name_zh = models.CharField(_("name (Chinese)"), max_length=80)
    name_en = models.CharField(_("name (English)"), max_length=120, blank=True)
    sender = models.CharField(_("sender in its messages"), max_length=200, db_index=True)
    certificate = models.TextField(
        _("certificate (PEM)"), help_text=_("As handed over by the sender; never as found in a message.")
    )
    fingerprint = models.CharField(_("SHA-256 fingerprint"), max_length=64, editable=False)
    valid_from = models.DateTimeField(_("certificate valid from"), editable=False)
    valid_until = models.DateTimeField(_("certificate valid until"), editable=False)
    is_active = models.BooleanField(_("in use"), default=True)
    note = models.TextField(_("how it was checked"), blank=True)

    # Trust is decided by the administrator and can be looked up by those who act on messages.
    scope = Scope(roles=(Role.ADMIN, Role.DUTY_OFFICER, Role.COMMANDER))
    objects = ScopedManager()

    class Meta:
        verbose_name = _("trusted sender")
        verbose_name_plural = _("trusted senders")
        ordering = ("code",)
        constraints = [models.UniqueConstraint(fields=["sender", "fingerprint"], name="alerting_trusted_once")]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """The name in the reader's language."""
        return localised(self.name_zh, self.name_en)

    def clean(self) -> None:
        """Read the certificate; what it says of itself is stored beside it."""
        try:
            found = cap_signature.load_certificate(self.certificate.strip().encode())
        except cap_signature.KeyTrouble as error:
            raise ValidationError({"certificate": str(error)}) from error
        self.fingerprint = cap_signature.fingerprint(found)
        self.valid_from, self.valid_until = found.not_valid_before_utc, found.not_valid_after_utc


class FeedForm(models.TextChoices):
    """How another platform writes its warnings."""

    AUTO = "auto", _("Find out")
    ATOM = "atom", _("Atom feed of CAP messages")
    RSS = "rss", _("RSS feed of CAP messages")
    CAP = "cap", _("One CAP message")
    NATIONAL = "national", _("JSON of the national warning platform")


class FeedSource(models.Model):
    """A feed of warnings that is read regularly: the weather bureau's, the city's, a neighbour's."""

    code = models.SlugField(_("short name"), max_length=40, unique=True)
    name_zh = models.CharField(_("name (Chinese)"), max_length=80)
    name_en = models.CharField(_("name (English)"), max_length=120, blank=True)
    url = models.URLField(_("address"), max_length=500)
    form = models.CharField(_("form"), max_length=10, choices=FeedForm, default=FeedForm.AUTO)
    every_s = models.PositiveIntegerField(
        _("read every (seconds)"), default=300, validators=[MinValueValidator(30), MaxValueValidator(86_400)]
    )
    is_active = models.BooleanField(_("in use"), default=True)
    note = models.TextField(_("note"), blank=True)
    # When it is to be read next: the loop takes what is due from here.
    next_at = models.DateTimeField(_("read next at"), null=True, blank=True, editable=False)
    read_at = models.DateTimeField(_("read last at"), null=True, blank=True, editable=False)
    good_at = models.DateTimeField(_("read well last at"), null=True, blank=True, editable=False)
    failures = models.PositiveIntegerField(_("failures in a row"), default=0, editable=False)
    trouble = models.CharField(_("what went wrong"), max_length=300, blank=True, editable=False)
    etag = models.CharField(max_length=200, blank=True, editable=False)
    modified = models.CharField(max_length=80, blank=True, editable=False)
    # Addresses and hashes of what was read last, so that what is known is not fetched again.
    seen = models.JSONField(default=dict, editable=False)

    scope = Scope(roles=(Role.ADMIN, Role.DUTY_OFFICER, Role.COMMANDER))
    objects = ScopedManager()

    class Meta:
        verbose_name = _("warning feed of others")
        verbose_name_plural = _("warning feeds of others")
        ordering = ("code",)
        indexes = [models.Index(fields=["next_at"], name="alerting_feed_due", condition=Q(is_active=True))]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """The name in the reader's language."""
        return localised(self.name_zh, self.name_en)

    def save(self, *args: Any, **kwargs: Any) -> None:
        """A feed without a time to be read is due at once."""
        self.next_at = self.next_at or timezone.now()
        super().save(*args, **kwargs)


class SignatureVerdict(models.TextChoices):
    """What was thought of a received message's signature when it came."""

    UNSIGNED = "unsigned", _("Not signed")
    VALID = "valid", _("Signature valid")
    BAD_DIGEST = "bad_digest", _("Changed after it was signed")
    BAD_SIGNATURE = "bad_signature", _("Signature forged or damaged")
    UNKNOWN_CERTIFICATE = "unknown_cert", _("Signed with an unknown certificate")
    EXPIRED = "expired", _("Signed with an expired certificate")
    MISPLACED = "misplaced", _("Signature in the wrong place")
    WEAK = "weak", _("Signed with a weak method")
    MALFORMED = "malformed", _("Signature cannot be read")

    @property
    def colour(self) -> str:
        """The colour of its badge."""
        return {"valid": "green", "unsigned": "grey", "unknown_cert": "yellow", "expired": "yellow"}.get(
            self.value, "red"
        )


class ReceivedWarning(GeometryMixin):
    """A CAP message from another platform, kept as it came, with what our validator found."""

    space = models.ForeignKey(Space, models.PROTECT, related_name="+")
    identifier = models.CharField(_("identifier"), max_length=200)
    sender = models.CharField(_("sender"), max_length=200)
    sent = models.CharField(_("time of sending"), max_length=40)
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)
    msg_type = models.CharField(_("message type"), max_length=20)
    status = models.CharField(_("status"), max_length=20)
    cap_scope = models.CharField(_("scope"), max_length=20)
    event = models.CharField(_("event"), max_length=200, blank=True)
    headline = models.CharField(_("headline"), max_length=400, blank=True)
    colour = models.CharField(_("colour"), max_length=8, choices=ColourChoice, blank=True)
    expires = models.DateTimeField(_("valid until"), null=True, blank=True)
    cap_xml = models.BinaryField(editable=False)
    sha256 = models.CharField(max_length=64)
    findings = models.JSONField(_("findings"), default=list)
    # What was thought of its signature at the time of receipt, and by which pinned certificate; never judged anew.
    signature = models.CharField(
        _("signature"), max_length=16, choices=SignatureVerdict, default=SignatureVerdict.UNSIGNED
    )
    signature_detail = models.CharField(max_length=200, blank=True)
    signature_by = models.CharField(max_length=64, blank=True)
    source = models.ForeignKey(
        FeedSource, models.SET_NULL, null=True, blank=True, related_name="received", verbose_name=_("feed")
    )
    # As it came, where that was not CAP (the national platform's JSON); `cap_xml` is then what we made of it.
    original = models.BinaryField(null=True, editable=False)
    original_type = models.CharField(max_length=60, blank=True)
    # What it says, without who says it when: the same warning from two feeds has the same.
    content_digest = models.CharField(max_length=64, blank=True, db_index=True)
    # The same warning, received before under another name.
    same_as = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="doubles")
    # The message that updated or cancelled it, as soon as that has come.
    replaced_by = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="replaces")
    seen_at = models.DateTimeField(_("seen last at"), null=True, blank=True)
    received_at = models.DateTimeField(_("time of receipt"))
    received_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    # What a neighbour told us is for those who work with warnings; publishing it on is a warning of our own.
    scope = Scope(roles=(Role.ADMIN, Role.DUTY_OFFICER, Role.COMMANDER, Role.DEPARTMENT, Role.TOWNSHIP, Role.MACHINE))
    objects = ScopedManager.from_queryset(WarningQuerySet)()

    class Meta(GeometryMixin.Meta):
        verbose_name = _("received warning")
        verbose_name_plural = _("received warnings")
        ordering = ("-received_at", "-pk")
        indexes = [models.Index(fields=["west", "south", "east", "north"], name="alerting_received_box")]
        constraints = [
            models.UniqueConstraint(fields=["space", "sender", "identifier", "sent"], name="alerting_received_once")
        ]

    def __str__(self) -> str:
        return self.headline or self.event or self.identifier

    @property
    def signature_info(self) -> SignatureVerdict:
        """The verdict with its label and colour."""
        return SignatureVerdict(self.signature)

    @property
    def colour_info(self) -> ColourChoice | None:
        """The colour with its label, None where the message has none of ours."""
        return ColourChoice(self.colour) if self.colour else None


class Subscription(models.Model):
    """A resident who asked to be told of warnings for a place. Personal data."""

    place = models.ForeignKey(Place, models.CASCADE, related_name="+", verbose_name=_("subscribed place"))
    phone = models.CharField(_("mobile telephone"), max_length=30, blank=True)
    email = models.EmailField(_("e-mail"), blank=True)
    language = models.CharField(_("language"), max_length=8, choices=settings.LANGUAGES, default="zh-hans")
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    is_demo = models.BooleanField(_("demonstration data"), default=False)

    scope = Scope(place="place__path", roles=(Role.ADMIN, Role.DUTY_OFFICER))
    objects = ScopedManager()

    class Meta:
        verbose_name = _("subscription")
        verbose_name_plural = _("subscriptions")


class RefusalReason(models.TextChoices):
    """Why something from outside was turned away."""

    UNREADABLE = "unreadable", _("Unreadable CAP message")
    CONFLICT = "conflict", _("CAP message whose identity was used for another text")


class Refusal(models.Model):
    """How often, on one day, something from outside was turned away for one reason."""

    day = models.DateField(_("day"))
    reason = models.CharField(_("why it was turned away"), max_length=12, choices=RefusalReason)
    count = models.PositiveIntegerField(_("count"), default=0)

    scope = Scope(roles=(Role.ADMIN, Role.DUTY_OFFICER, Role.COMMANDER))
    objects = ScopedManager()

    class Meta:
        verbose_name = _("refusal")
        verbose_name_plural = _("refusals")
        constraints = [models.UniqueConstraint(fields=["day", "reason"], name="alerting_refusal_once")]

    def __str__(self) -> str:
        return f"{self.day} {self.get_reason_display()}: {self.count}"


# At the end: it needs the colours above.
from haitang.alerting.recipient_lists import Exposed, RecipientList  # noqa: E402, F401
