"""Tasks declared Django's own way."""

from guards.models import GuardReport
from sendmill.contrib.django.compat import task


@task
def count_words(report_id: int) -> int:
    """Count the words of a report's title."""
    report = GuardReport.objects.get(pk=report_id)
    report.words = len(report.title.split())
    report.runs += 1
    report.save()
    return report.words


@task
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@task(takes_context=True)
def which_attempt(context, until: int = 1) -> int:
    """Fail until the attempt that is asked for."""
    if context.attempt < until:
        raise RuntimeError(f"attempt {context.attempt} is not {until}")
    return context.attempt


@task
async def add_async(a: int, b: int) -> int:
    """Add two numbers, later."""
    return a + b


POWER = False


@task
def fail(message: str) -> None:
    """Fail until there is power."""
    if not POWER:
        raise ValueError(message)


@task
def return_no_json(report_id: int) -> object:
    """Do something, and return what is no JSON."""
    GuardReport.objects.filter(pk=report_id).update(runs=1)
    return object()


@task
def take_anything(*args: object, **kwargs: object) -> list[object]:
    """Return what came."""
    return [list(args), kwargs]
