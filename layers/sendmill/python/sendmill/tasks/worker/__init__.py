"""Handle messages of a task queue, in Lambda (:mod:`.handler`) or in a process (:mod:`.local`)."""
