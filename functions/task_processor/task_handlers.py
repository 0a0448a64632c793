"""Tasks of this deployment: write a function, register it, deploy.

::

    from sendmill.tasks import register_handler

    @register_handler("custom_processing", max_attempts=3)
    def custom_processing(payload: dict) -> None:
        ...

The application then calls ``sqs_client.send_task(task_name="custom_processing", payload={...})``.
What a handler needs beside the layers goes into this folder; what it may do, into ``task_buckets``
or a policy in terraform/main.tf.
"""
