"""To whom a message goes: a person with an account, an organisation's duty post, or just a telephone number."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from django.db.models import prefetch_related_objects

from haitang.accounts.models import Organisation, User
from haitang.accounts.roles import Role
from haitang.geo.models import Place

ZH = "zh-hans"


@dataclass(frozen=True, kw_only=True)
class Recipient:
    """One recipient and his contact points. What is left empty is taken from the person, then from the organisation.

    `url` is this recipient's own link (a signed link to answer by); it goes only where he alone reads it.
    """

    user: User | None = None
    organisation: Organisation | None = None
    name: str = ""
    phone: str = ""
    email: str = ""
    wecom: str = ""
    language: str = ZH
    url: str = ""

    @classmethod
    def of(cls, user: User, url: str = "") -> Recipient:
        """A person with an account."""
        return cls(
            user=user,
            url=url,
            name=user.name_zh or user.username,
            phone=user.phone,
            email=user.email,
            wecom=user.wecom_id,
        )

    def completed(self) -> Recipient:
        """The same with empty contact points filled in. Costs a query where the person's organisation was not fetched."""
        user, organisation = self.user, self.organisation
        if user is not None and organisation is None:
            organisation = user.organisation
        phone, email, wecom, name = self.phone, self.email, self.wecom, self.name
        if user is not None:
            phone, email, wecom = phone or user.phone, email or user.email, wecom or user.wecom_id
            name = name or user.name_zh or user.username
        elif organisation is not None:
            phone, name = phone or organisation.phone, name or organisation.name_zh
        return replace(
            self, organisation=organisation, phone=phone, email=email, wecom=wecom, name=name or phone or email
        )

    @property
    def is_public(self) -> bool:
        """Whether this is a member of the public: a resident's account, or an address that belongs to no organisation."""
        if self.user is not None:
            return bool(self.user.role == Role.RESIDENT)
        return self.organisation is None

    @property
    def identity(self) -> tuple[object, ...]:
        """What makes two entries of a list the same recipient."""
        return (
            (self.user.pk,)
            if self.user
            else (self.organisation and self.organisation.pk, self.phone, self.email, self.wecom)
        )


def settle(to: Iterable[Recipient | User]) -> list[Recipient]:
    """The recipients of a list, each once, with their contact points filled in. At most four queries, however many."""
    given = [Recipient(user=each) if isinstance(each, User) else each for each in to]
    prefetch_related_objects([r.user for r in given if r.user], "organisation__place")
    prefetch_related_objects([r.organisation for r in given if r.organisation], "place")
    found: dict[tuple[object, ...], Recipient] = {}
    for each in given:
        recipient = each.completed()
        found.setdefault(recipient.identity, recipient)
    return list(found.values())


def common_place(recipients: Sequence[Recipient]) -> Place | None:
    """The smallest place that holds the organisations of all recipients; None if one of them has none. At most a query."""
    places = [r.organisation.place if r.organisation else None for r in recipients]
    if not places or any(place is None for place in places):
        return None
    paths = [place.path.rstrip("/").split("/") for place in places if place]
    shared = []
    for codes in zip(*paths, strict=False):
        if len(set(codes)) > 1:
            break
        shared.append(codes[0])
    path = "".join(f"{code}/" for code in shared)
    return (
        next((place for place in places if place and place.path == path), None)
        or Place.objects.filter(path=path).first()
    )
