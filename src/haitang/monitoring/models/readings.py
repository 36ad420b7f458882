"""What the network said: the log of what arrived, the readings made of it, and where the evaluator stands."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from haitang.accounts.roles import OFFICIALS
from haitang.accounts.scope import Scope, ScopedManager
from haitang.spaces.models import Space


class Tail(models.Model):
    """Readings that were stored and are not sealed yet: what one step of the evaluator found new, by series and time.

    Read and written through `store.py`, `tail.py` and `sealing.py` only, as the three tables below.
    """

    space = models.ForeignKey(Space, models.CASCADE, related_name="+")
    rows = models.PositiveIntegerField()
    written_at = models.DateTimeField()
    # Random, so that a process knows the row it remembers from another that took its number after a roll-back.
    stamp = models.BigIntegerField()
    payload = models.BinaryField()

    class Meta:
        indexes = (models.Index(fields=("space", "id"), name="monitoring_tail_next"),)


class Chunk(models.Model):
    """Sealed readings of sixteen neighbouring series over a stretch of time (`chunk_codec.py`).

    `figures` has count, lowest, highest, sum, first and last of each series, so that most questions leave the payload
    alone. Foreign keys to series are not kept: the door knows its series.
    """

    class Level(models.IntegerChoices):
        """How far chunks were put together. A `period` is a day; of MONTH, 32 days."""

        FRESH = 0, "as sealed"
        DAY = 1, "a day"
        MONTH = 2, "thirty-two days of few readings"
        FULL_DAY = 3, "a day of many readings"

    space = models.ForeignKey(Space, models.CASCADE, related_name="+")
    block = models.IntegerField()
    level = models.PositiveSmallIntegerField(choices=Level)
    period = models.BigIntegerField()
    first_ms = models.BigIntegerField()
    last_ms = models.BigIntegerField()
    rows = models.PositiveIntegerField()
    figures = models.BinaryField()
    payload = models.BinaryField()

    class Meta:
        indexes = (
            models.Index(fields=("space", "block", "last_ms"), name="monitoring_chunk_span"),
            models.Index(
                fields=("space", "level", "block", "period"), name="monitoring_chunk_loose",
                condition=models.Q(level__in=(0, 1)),
            ),
        )  # fmt: skip


class SealedNewest(models.Model):
    """The newest sealed reading of each of 16,384 neighbouring series, so that a process that starts has them at once."""

    space = models.ForeignKey(Space, models.CASCADE, related_name="+")
    part = models.IntegerField()
    payload = models.BinaryField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("space", "part"), name="monitoring_one_newest"),)


class Sealing(models.Model):
    """Another random number with every sealing of a space's readings. Locking this row makes one process the sealer."""

    space = models.OneToOneField(Space, models.CASCADE, primary_key=True, related_name="+")
    generation = models.BigIntegerField(default=0)


class LongCopy(models.Model):
    """How far a space's chunks are copied to the long store: up to this number, and all of those at the beginning."""

    space = models.OneToOneField(Space, models.CASCADE, primary_key=True, related_name="+")
    upto = models.BigIntegerField(default=0)
    begun = models.BigIntegerField(default=0)


class Intake(models.Model):
    """One group of readings as it became durable, in order of arrival. Pruned once a snapshot covers it."""

    class Kind(models.TextChoices):
        """What the group holds."""

        READINGS = "r", "readings"
        TICK = "t", "the passing of time"

    space = models.ForeignKey(Space, models.CASCADE, related_name="+")
    kind = models.CharField(max_length=1, choices=Kind, default=Kind.READINGS)
    received_at = models.DateTimeField()
    source = models.CharField(max_length=80)
    rows = models.PositiveIntegerField()
    payload = models.BinaryField()

    class Meta:
        indexes = (models.Index(fields=("space", "id"), name="monitoring_intake_next"),)


class Evaluator(models.Model):
    """Where evaluation stands in one space. Locking this row makes one process the evaluator for a moment."""

    space = models.OneToOneField(Space, models.CASCADE, primary_key=True, related_name="+")
    # Everything up to and including this intake is stored and judged.
    cursor = models.BigIntegerField(default=0)
    edition = models.BigIntegerField(default=0)
    # Rules and state as they were at snapshot_cursor; the log after it makes the present state, exactly.
    snapshot = models.BinaryField(null=True)
    snapshot_cursor = models.BigIntegerField(default=0)
    pruned_to = models.BigIntegerField(default=0)
    advanced_at = models.DateTimeField(null=True)


class Edition(models.Model):
    """Another random number with every change of stations, series or rules. One row."""

    number = models.BigIntegerField()


class Outcome(models.TextChoices):
    """What became of a reading at the door."""

    ACCEPTED = "accepted", _("Accepted")
    DUPLICATE = "duplicate", _("Duplicate")
    LATE = "late", _("Late")
    UNKNOWN_SERIES = "unknown_series", _("Unknown series")
    FORBIDDEN = "forbidden", _("Not allowed for this sender")
    WRONG_UNIT = "wrong_unit", _("Wrong unit")
    ABSURD_VALUE = "absurd_value", _("Absurd value")
    FUTURE = "future", _("In the future")
    MALFORMED = "malformed", _("Malformed")
    BODY_REFUSED = "body_refused", _("Whole body refused")
    RATE_LIMITED = "rate_limited", _("Over the rate limit")
    SIGN_IN_REFUSED = "sign_in_refused", _("Sign-in refused")
    PROTOCOL = "protocol", _("Against the protocol")


class IngestCount(models.Model):
    """How many readings of one source met one outcome in one hour (of the server's own clock)."""

    space = models.ForeignKey(Space, models.CASCADE, related_name="+")
    hour = models.DateTimeField(_("hour"))
    source = models.CharField(_("source"), max_length=80)
    outcome = models.CharField(_("outcome"), max_length=16, choices=Outcome)
    count = models.BigIntegerField(_("readings"), default=0)

    scope = Scope(roles=OFFICIALS)
    objects = ScopedManager()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("space", "hour", "source", "outcome"), name="monitoring_one_count"),
        )
