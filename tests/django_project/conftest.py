"""Django's own runner runs what is here, once for each release: tests/contract/test_django.py."""

collect_ignore_glob = ["*"]
