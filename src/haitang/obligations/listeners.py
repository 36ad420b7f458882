"""An answer by voice: whoever said back the code of his call has answered."""

from __future__ import annotations

import logging

from django.utils.translation import gettext as _

from haitang.accounts.verbs import Forbidden, Refused
from haitang.delivery.models import Delivery
from haitang.delivery.readback import on_read_back
from haitang.obligations import services
from haitang.obligations.models import Obligation

logger = logging.getLogger(__name__)


@on_read_back
def heard(delivery: Delivery) -> None:
    """Complete what the call asked of its callee. Told twice, it stays answered."""
    if delivery.message.about_type != Obligation._meta.label_lower or delivery.user is None:
        return
    one = Obligation.objects.filter(pk=delivery.message.about_id, space=delivery.space).first()
    if one is None or not one.is_open or not one.kind_info.one_press:
        return
    try:
        services.complete(one, by=delivery.user, note=_("By voice, code read back"))
    except (Forbidden, Refused):
        logger.warning("an answer by voice to obligation %s was not taken", one.pk, exc_info=True)
