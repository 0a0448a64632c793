"""Run by processes of their own, one for each release of Django: tests/contract/test_django.py."""

collect_ignore_glob = ["*"]
