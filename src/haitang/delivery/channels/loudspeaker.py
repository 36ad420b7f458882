"""Village loudspeakers 大喇叭, through a gateway or a broker. Everybody hears them: never in an exercise."""

from __future__ import annotations

from typing import ClassVar

from django.utils.translation import gettext_lazy as _

from haitang.delivery.channel import add_channel
from haitang.delivery.device_channel import DeviceChannel


@add_channel
class Loudspeaker(DeviceChannel):
    """Village loudspeakers."""

    name: ClassVar = "loudspeaker"
    label: ClassVar = _("Village loudspeaker")
    icon: ClassVar = "speakerphone"
    setting: ClassVar = "HAITANG_LOUDSPEAKER_URL"
