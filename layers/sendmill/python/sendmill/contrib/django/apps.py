"""The Django app: configures the tasks from the settings when Django is ready."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from django.apps import AppConfig, apps


class SendmillConfig(AppConfig):
    """Read the settings, connect signals and checks, and find the projects' tasks."""

    name = "sendmill.contrib.django"
    label = "sendmill"
    verbose_name = "Sendmill"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Configure the tasks; no AWS client is made and nothing is asked over the network."""
        from sendmill.contrib.django import checks, conf, events, people

        conf.try_to_apply()
        checks.register_all()
        events.connect()
        people.connect()
        discover()


def discover() -> None:
    """Import the module ``tasks`` of every installed app, so that what it registers is known."""
    for config in apps.get_app_configs():
        module = f"{config.name}.tasks"
        if not config.name.startswith(("django.", "sendmill.")) and find_spec(module):
            import_module(module)
