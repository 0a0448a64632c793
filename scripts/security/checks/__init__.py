"""Checks of our own; checkov takes them from a folder that is a package, and from no other."""
