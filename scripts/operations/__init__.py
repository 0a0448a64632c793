"""What an operator asks of a deployed environment: one module a question."""
