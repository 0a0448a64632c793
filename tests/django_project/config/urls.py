"""Where requests go."""

from django.contrib import admin
from django.urls import path
from guards.views import create_report, task_status

urlpatterns = [
    path("admin/", admin.site.urls),
    path("reports/", create_report),
    path("tasks/<str:task_id>/", task_status),
]
