"""Who is asking: the signed-in user with organisation and place, in one query for every request."""

from __future__ import annotations

from django.contrib.auth.backends import ModelBackend

from haitang.accounts.models import User


class Backend(ModelBackend):
    """Django's own, but every page asks at once for what scope needs of its reader."""

    def get_user(self, user_id: int) -> User | None:
        """The user of a session; None when there is none or the account is closed."""
        rows = User.objects.select_related("organisation__place")
        user = rows.filter(pk=user_id).first()
        return user if user is not None and self.user_can_authenticate(user) else None
