"""What can be done with people and tokens."""

from __future__ import annotations

import secrets
from datetime import datetime

from django.db.models import Model
from django.utils import timezone
from django.utils.translation import gettext as _

from haitang.accounts import tokens
from haitang.accounts.actors import Actor, System
from haitang.accounts.models import ApiToken, Organisation, PersonalRead, User
from haitang.accounts.roles import EVERYONE, OPERATIONS, Role
from haitang.accounts.verbs import Forbidden, verb
from haitang.journal.services import record
from haitang.spaces.models import Space


@verb("accounts.mint_token", roles={Role.ADMIN} | OPERATIONS)
def mint_token(
    *,
    name: str,
    user: User,
    space: Space,
    rights: list[str],
    by: Actor,
    prefix: str = "",
    expires_at: datetime | None = None,
) -> tuple[ApiToken, str]:
    """Make an access token; the secret is returned once and never kept.

    Only an administrator makes one in the name of another person: a token acts with that person's role.
    """
    if not isinstance(by, System) and by.role != Role.ADMIN and user.role != Role.MACHINE and user.pk != by.pk:
        raise Forbidden(_("Only an administrator makes a token in another person's name: choose a machine account"))
    secret = tokens.new_secret()
    token = ApiToken.objects.create(
        name=name, digest=tokens.digest(secret), user=user, space=space, rights=rights, prefix=prefix,
        expires_at=expires_at,
    )  # fmt: skip
    record(space=space, verb="accounts.mint_token", by=by, subject=token, after={"name": name, "rights": rights},
           text_zh=f"签发接口令牌：{name}", text_en=f"Access token issued: {name}")  # fmt: skip
    return token, secret


@verb("accounts.revoke_token", roles={Role.ADMIN} | OPERATIONS)
def revoke_token(token: ApiToken, *, by: Actor) -> ApiToken:
    """End an access token at once."""
    token.revoked_at = timezone.now()
    token.save(update_fields=["revoked_at"])
    record(space=token.space, verb="accounts.revoke_token", by=by, subject=token,
           text_zh=f"吊销接口令牌：{token.name}", text_en=f"Access token revoked: {token.name}")  # fmt: skip
    return token


@verb("accounts.register_user", roles={Role.ADMIN})
def register_user(
    *, username: str, role: Role, organisation: Organisation, name_zh: str, by: Actor, name_en: str = "", post: str = ""
) -> tuple[User, str]:
    """Open an account, or give the one of this name a new password; the password is returned once and never kept."""
    password = secrets.token_urlsafe(12)
    user = User.objects.filter(username=username).first() or User(username=username)
    user.role, user.organisation, user.name_zh, user.name_en, user.post = role, organisation, name_zh, name_en, post
    user.is_active, user.is_demo = True, False
    user.set_password(password)
    user.full_clean()
    user.save()
    record(space=Space.live(), verb="accounts.register_user", by=by, subject=user, organisation=organisation,
           after={"username": username, "role": role}, text_zh=f"开通账号：{username}", text_en=f"Account opened: {username}")  # fmt: skip
    return user, password


@verb("accounts.edit_profile", roles=EVERYONE)
def edit_profile(user: User, *, by: Actor, phone: str, email: str, wecom_id: str) -> User:
    """Change one's own contact points; an administrator may change anybody's."""
    if not isinstance(by, System) and by.role != Role.ADMIN and user.pk != by.pk:
        raise Forbidden(_("Contact points are changed by the person or by an administrator"))
    user.phone, user.email, user.wecom_id = phone, email, wecom_id
    user.save(update_fields=["phone", "email", "wecom_id"])
    record(space=Space.live(), verb="accounts.edit_profile", by=by, subject=user, organisation=user.organisation,
           text_zh="修改了联系方式", text_en="Changed contact points")  # fmt: skip
    return user


def log_read(reader: User, subject: type[Model] | Model, *, purpose: str, count: int = 1) -> None:
    """Note that somebody read personal data; exports and lists call it with the number of rows."""
    PersonalRead.objects.create(
        reader=reader,
        subject_type=subject._meta.label_lower,
        subject_id=str(subject.pk) if isinstance(subject, Model) else "",
        count=count,
        purpose=purpose[:120],
    )


def people_of(organisation: Organisation) -> list[User]:
    """The people of an organisation in the order in which they are called. One query."""
    return list(User.objects.filter(organisation=organisation, is_active=True).order_by("rank", "pk"))
