"""The map's place in the navigation."""

from django.utils.translation import gettext_lazy as _

from haitang.frame import Menu, menu_item

menu_item("onemap:map", label=_("One map"), icon="map", group=Menu.SITUATION, order=30)
