"""Adapters for the frameworks of applications; each is imported by its users alone."""
