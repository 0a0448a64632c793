"""Commands of manage.py; each parses and prints, :mod:`sendmill.tasks` does the work."""
