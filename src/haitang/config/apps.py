"""The configuration app: wires what every slice offers under an agreed file name."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from django.apps import AppConfig, apps

# A slice that has one of these modules has it imported at start, so that its declarations register themselves.
DECLARATIONS = ("kinds", "channels", "registers", "layers", "menu", "cards", "pack", "listeners", "search")


class ConfigApp(AppConfig):
    """Imports the declaring modules of all slices once everything is loaded."""

    name = "haitang.config"
    label = "haitang_config"

    def ready(self) -> None:
        """Import every slice's declaring modules."""
        for config in list(apps.get_app_configs()):
            if config.name.startswith("haitang.") and config.name != self.name:
                for module in DECLARATIONS:
                    if find_spec(f"{config.name}.{module}"):
                        import_module(f"{config.name}.{module}")
