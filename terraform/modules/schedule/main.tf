# What happens by the clock: `sweep` every minute, and campaigns that start at a time somebody chose.

locals {
  # Woken again a minute later anyway, so one that could not run is not worth repeating.
  patience_seconds = 60

  # The queue's policy names the queue, so this ARN is built and not read.
  failures_name = "${var.deployment.name_prefix}-schedule-dlq"
  failures_arn  = "arn:${var.deployment.partition}:sqs:${var.deployment.region}:${var.deployment.account_id}:${local.failures_name}"
}

module "function" {
  source = "../function"

  deployment            = var.deployment
  name                  = "sweep"
  package               = var.package
  layer_arns            = var.layer_arns
  log                   = var.log
  memory_mb             = var.settings.memory_mb
  timeout_seconds       = var.settings.timeout_seconds
  environment_variables = var.environment_variables
  policies              = merge(var.policies, { failures-send = data.aws_iam_policy_document.failures_send.json })
}

# The scheduler only hands the event over; whether the function then ends well is Lambda's business. Both put
# what failed into the same queue.
resource "aws_lambda_function_event_invoke_config" "sweep" {
  function_name                = module.function.name
  qualifier                    = module.function.alias
  maximum_event_age_in_seconds = local.patience_seconds
  maximum_retry_attempts       = 0

  destination_config {
    on_failure {
      destination = aws_sqs_queue.failures.arn
    }
  }
}

resource "aws_scheduler_schedule_group" "jobs" {
  name = "${var.deployment.name_prefix}-jobs"
}

resource "aws_scheduler_schedule" "sweep" {
  #checkov:skip=CKV_AWS_297:the schedule carries no input, so there is nothing to encrypt
  name                = "sweep"
  description         = "Repairs what was left behind, once a minute"
  group_name          = aws_scheduler_schedule_group.jobs.name
  schedule_expression = "rate(1 minute)"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = module.function.arn
    role_arn = aws_iam_role.jobs.arn

    retry_policy {
      maximum_event_age_in_seconds = local.patience_seconds
      maximum_retry_attempts       = 1
    }

    dead_letter_config {
      arn = aws_sqs_queue.failures.arn
    }
  }

  # Its first turn comes at once, and needs the role to be complete.
  depends_on = [aws_iam_role_policy.jobs, aws_lambda_function_event_invoke_config.sweep]
}

resource "aws_sqs_queue" "failures" {
  name                      = local.failures_name
  message_retention_seconds = 14 * 86400
  sqs_managed_sse_enabled   = contains(keys(var.deployment.keys), "queues") ? null : true
  kms_master_key_id         = lookup(var.deployment.keys, "queues", null)
  policy                    = one([for document in data.aws_iam_policy_document.failures : document.json])
}

# A group of their own: the API may change these schedules, and not the one of `sweep`.
resource "aws_scheduler_schedule_group" "campaigns" {
  name = "${var.deployment.name_prefix}-campaigns"
}
