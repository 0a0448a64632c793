"""Views that send tasks."""

from common.tasks import send_notification_email
from django.core.mail import send_mail
from django.db import transaction
from django.http import HttpRequest, JsonResponse

from guards.files import hand_in
from guards.models import GuardReport
from guards.tasks import count_words
from sendmill.contrib.django.compat import TaskResultDoesNotExist


def create_report(request: HttpRequest) -> JsonResponse:
    """Keep a report and send its tasks in one transaction; ``fail=1`` undoes both."""
    try:
        with transaction.atomic():
            report = GuardReport.objects.create(title=request.POST["title"])
            task_id = count_words.enqueue(report.pk).id
            notified = _notify(request.POST, report)
            files = request.FILES.getlist("files")
            worked = hand_in(report, files, request.POST["supervisor"]) if files else ""
            if request.POST.get("fail"):
                raise RuntimeError("the request went wrong after it had sent its tasks")
    except RuntimeError as error:
        return JsonResponse({"error": str(error)}, status=500)
    tasks = {"task": task_id, "notified": notified, "worked": worked}
    return JsonResponse({"report": report.pk, **tasks}, status=201)


def task_status(request: HttpRequest, task_id: str) -> JsonResponse:
    """Say what became of a report's task."""
    try:
        result = count_words.get_result(task_id)
    except TaskResultDoesNotExist:
        return JsonResponse({"status": "unknown"}, status=404)
    value = result.return_value if result.status == "SUCCESSFUL" else None
    return JsonResponse({"status": result.status, "value": value, "attempts": result.attempts})


def _notify(asked, report: GuardReport) -> str:
    """Mail whoever asked, by the task that every installation has, or by Django's own mail."""
    if asked.get("mail"):
        send_mail("Report", f"{report.title} was kept.", None, [asked["mail"]])
    if not asked.get("user"):
        return ""
    return send_notification_email(
        user_id=asked["user"],
        subject="Welcome!",
        template_name="emails/welcome.html",
        context={"name": report.title},
    ).task_id
