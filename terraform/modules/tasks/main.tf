# Background tasks: application -> queue -> function -> handlers. One function serves every queue, so that a task
# runs the same wherever it was put; queues differ in how many run side by side and how large a bite is.

module "queue" {
  source   = "../queue"
  for_each = var.queues

  deployment = var.deployment
  name       = local.queue_names[each.key]
  settings   = each.value
  emulated   = var.emulated
}

module "function" {
  source = "../function"

  deployment      = var.deployment
  name            = "task_processor"
  package         = var.package
  layer_arns      = var.layer_arns
  log             = var.log
  memory_mb       = var.settings.memory_mb
  timeout_seconds = var.settings.timeout_seconds

  environment_variables = merge(var.environment_variables, {
    AWS_SQS_QUEUE_URL = module.queue[local.default_queue].url
    AWS_SQS_DLQ_URL   = module.queue[local.default_queue].dead_letter_url
    AWS_SQS_REGION    = var.deployment.region

    SENDMILL_TASK_BACKOFF_SECONDS = tostring(var.settings.backoff_seconds)
    SENDMILL_TASK_BUCKET          = module.files_bucket.name
    SENDMILL_TASK_DLQS            = jsonencode({ for name, queue in module.queue : name => queue.dead_letter_url })
    SENDMILL_TASK_LINK_MINUTES    = tostring(var.files.link_minutes)
    SENDMILL_TASK_MAX_ATTEMPTS    = tostring(var.settings.max_attempts)
    SENDMILL_TASK_QUEUES          = jsonencode({ for name, queue in module.queue : name => queue.url })
    SENDMILL_TASK_RECEIPTS_TABLE  = aws_dynamodb_table.receipts.name

    # A task may send others: they go to a queue and are not run in the middle of this one.
    USE_ASYNC_TASKS = "True"
  })

  policies = merge(var.policies, {
    queues-consume    = data.aws_iam_policy_document.consume.json
    queues-send       = data.aws_iam_policy_document.send.json
    dead-letters-send = data.aws_iam_policy_document.dead_letters_send.json
    receipts-write    = data.aws_iam_policy_document.receipts_write.json
    files             = data.aws_iam_policy_document.files.json
  })
}

resource "aws_lambda_event_source_mapping" "this" {
  for_each = var.queues

  event_source_arn                   = module.queue[each.key].arn
  function_name                      = module.function.arn
  batch_size                         = each.value.batch_size
  maximum_batching_window_in_seconds = each.value.batching_window_seconds
  function_response_types            = ["ReportBatchItemFailures"]

  # Not reserved concurrency: what that throttles has been received, and every receive counts.
  scaling_config {
    maximum_concurrency = each.value.maximum_concurrency
  }

  lifecycle {
    # GovCloud has no tags on mappings, so default_tags would be a difference in every plan:
    # https://github.com/hashicorp/terraform-provider-aws/issues/40755
    ignore_changes = [tags, tags_all]

    # AWS's advice, and here there is no sweep that repairs what turns up twice:
    # https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
    precondition {
      condition     = each.value.visibility_timeout_seconds >= 6 * var.settings.timeout_seconds
      error_message = "The task queue ${each.key} must hide a message for at least 6 times the function's timeout (got ${each.value.visibility_timeout_seconds} s against 6 x ${var.settings.timeout_seconds} s)."
    }

    # A receive is not an attempt: one that met a throttle, or another worker's lease, ran nothing.
    precondition {
      condition     = each.value.max_receive_count > var.settings.max_attempts
      error_message = "The task queue ${each.key} must allow more receives than a task has attempts, or a throttle makes a dead letter (got ${each.value.max_receive_count} against ${var.settings.max_attempts})."
    }

    # Lambda refuses it, but only when the mapping is made.
    precondition {
      condition     = each.value.batch_size <= 10 || each.value.batching_window_seconds >= 1
      error_message = "A batch_size over 10 needs a batching_window_seconds of at least 1 (got ${each.value.batch_size} and ${each.value.batching_window_seconds} for the task queue ${each.key})."
    }
  }
}

# What became of each task, who holds it, and whom user ids stand for. It forgets by the attribute `expires_at`.
resource "aws_dynamodb_table" "receipts" {
  name                        = "${var.deployment.name_prefix}-tasks"
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "pk"
  deletion_protection_enabled = var.protect_data

  attribute {
    name = "pk"
    type = "S"
  }

  attribute {
    name = "g1pk"
    type = "S"
  }

  attribute {
    name = "g1sk"
    type = "S"
  }

  # The tasks of a day in the order in which they began, spread over a few partitions.
  global_secondary_index {
    name            = "recent"
    hash_key        = "g1pk"
    range_key       = "g1sk"
    projection_type = "ALL"
  }

  ttl {
    attribute_name = "expires_at"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = lookup(var.deployment.keys, "data", null)
  }
}

locals {
  default_queue = "tasks"

  # As they are called outside of this module, where queues of other kinds stand beside them.
  queue_names = { for name in keys(var.queues) : name => name == local.default_queue ? name : "${local.default_queue}-${name}" }
}
