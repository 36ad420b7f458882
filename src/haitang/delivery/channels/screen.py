"""Public screens 显示屏, through a gateway or a broker. Everybody sees them: never in an exercise."""

from __future__ import annotations

from typing import ClassVar

from django.utils.translation import gettext_lazy as _

from haitang.delivery.channel import add_channel
from haitang.delivery.device_channel import DeviceChannel


@add_channel
class Screen(DeviceChannel):
    """Public screens."""

    name: ClassVar = "screen"
    label: ClassVar = _("Public screen")
    icon: ClassVar = "device-tv"
    setting: ClassVar = "HAITANG_SCREEN_URL"
