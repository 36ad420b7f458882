"""The register kit."""

from django.apps import AppConfig


class RegistryApp(AppConfig):
    """The registry slice."""

    name = "haitang.registry"

    def ready(self) -> None:
        """The ground below is registered here, because geo knows nothing of registers."""
        from haitang.registry import ground  # noqa: F401
