"""Settings of a project as its team would write them; docs/django.md walks through them."""

import os
from importlib.util import find_spec
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent

SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY", "only-for-tests")
DEBUG = False
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "config.urls"
USE_TZ = True

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    # Django 5.2 gets its tasks from a package
    *([] if find_spec("django.tasks") else ["django_tasks"]),
    "sendmill.contrib.django",
    "common",
    "guards",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("DATABASE", BASE_DIR / "db.sqlite3"),
    }
}
STATIC_URL = "static/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- background tasks -----------------------------------------------------------------------------
USE_ASYNC_TASKS = os.environ.get("USE_ASYNC_TASKS", "False").lower() == "true"
AWS_SQS_QUEUE_URL = os.environ.get("AWS_SQS_QUEUE_URL")
AWS_SQS_REGION = os.environ.get("AWS_SQS_REGION", "us-east-1")
AWS_SQS_DLQ_URL = os.environ.get("AWS_SQS_DLQ_URL")
TASK_FILES_BUCKET = os.environ.get("TASK_FILES_BUCKET")
DEFAULT_FROM_EMAIL = os.environ.get("DEFAULT_FROM_EMAIL", "noreply@example.com")

TASKS = {
    "default": {
        "BACKEND": "sendmill.contrib.django.backend.SqsLambdaBackend",
        "QUEUES": ["default"],
        "OPTIONS": {"result_store": os.environ.get("TASK_RESULTS", "orm")},
    }
}
if os.environ.get("TASK_RECEIPTS_TABLE"):
    TASKS["default"]["OPTIONS"]["receipts_table"] = os.environ["TASK_RECEIPTS_TABLE"]
if os.environ.get("PROCESSOR_QUEUE_URL"):
    # what every installation has runs in the deployed processor, which needs no Django
    TASKS["default"]["OPTIONS"]["queue_urls"] = {"processor": os.environ["PROCESSOR_QUEUE_URL"]}
    ROUTED = ("send_email", "send_notification_email", "guard_report", "generate_report")
    SENDMILL = {"routes": dict.fromkeys(ROUTED, "processor")}

EMAIL_BACKEND = "sendmill.contrib.django.mail.EmailBackend"
