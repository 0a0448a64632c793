"""The app of the guards' reports."""

from django.apps import AppConfig


class GuardsConfig(AppConfig):
    """Nothing special."""

    name = "guards"
