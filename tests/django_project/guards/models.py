"""What the guards hand in."""

from django.db import models


class GuardReport(models.Model):
    """A report, and what its task made of it."""

    title = models.CharField(max_length=100)
    words = models.IntegerField(null=True)
    runs = models.IntegerField(default=0)

    def __str__(self) -> str:
        return self.title
