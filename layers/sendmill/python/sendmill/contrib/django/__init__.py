"""Run the tasks and mails of a Django project through Sendmill.

Django 6.x, or 5.2 with django-tasks. In the settings::

    INSTALLED_APPS = [..., "sendmill.contrib.django"]
    TASKS = {"default": {"BACKEND": "sendmill.contrib.django.backend.SqsLambdaBackend", ...}}
    EMAIL_BACKEND = "sendmill.contrib.django.mail.EmailBackend"  # mails too

docs/django.md has the rest. Importing this package imports nothing.
"""
