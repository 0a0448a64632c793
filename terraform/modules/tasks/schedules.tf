# Tasks by the clock. The scheduler puts a message on a queue like any application, so a periodic task is tried
# again, dead-lettered and counted like every other.

locals {
  # The queue's policy names the queue, so this ARN is built and not read.
  failures_name = "${var.deployment.name_prefix}-tasks-schedule-dlq"
  failures_arn  = "arn:${var.deployment.partition}:sqs:${var.deployment.region}:${var.deployment.account_id}:${local.failures_name}"

  # The scheduler may deliver a tick twice; arn and time make its id, so that it still runs once. (The id of the
  # execution would not do: it is another one for each try.) jsonencode writes < and > as escapes, which the
  # scheduler would not recognise: https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
  messages = {
    for name, task in var.periodic : name => replace(replace(jsonencode({
      task      = task.task
      kwargs    = jsondecode(task.kwargs_json)
      schedule  = "<aws.scheduler.schedule-arn>"
      scheduled = "<aws.scheduler.scheduled-time>"
    }), "\\u003c", "<"), "\\u003e", ">")
  }
}

resource "aws_scheduler_schedule_group" "this" {
  name = "${var.deployment.name_prefix}-tasks"
}

resource "aws_scheduler_schedule" "this" {
  #checkov:skip=CKV_AWS_297:its input names a task and settings of this repository, nothing about a person
  for_each = var.periodic

  name                         = each.key
  description                  = "Puts the task ${each.value.task} on the queue ${each.value.queue}"
  group_name                   = aws_scheduler_schedule_group.this.name
  schedule_expression          = each.value.schedule
  schedule_expression_timezone = each.value.timezone
  state                        = each.value.enabled ? "ENABLED" : "DISABLED"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = module.queue[each.value.queue].arn
    role_arn = aws_iam_role.schedules.arn
    input    = local.messages[each.key]

    retry_policy {
      maximum_event_age_in_seconds = each.value.maximum_age_seconds
      maximum_retry_attempts       = 10
    }

    dead_letter_config {
      arn = aws_sqs_queue.failures.arn
    }
  }

  depends_on = [aws_iam_role_policy.schedules]
}

# Ticks that could not be put on their queue. What fails after that lies in the queue's own dead-letter queue.
resource "aws_sqs_queue" "failures" {
  name                      = local.failures_name
  message_retention_seconds = 14 * 86400
  receive_wait_time_seconds = 1
  sqs_managed_sse_enabled   = contains(keys(var.deployment.keys), "queues") ? null : true
  kms_master_key_id         = lookup(var.deployment.keys, "queues", null)
  policy                    = one([for document in data.aws_iam_policy_document.failures : document.json])
}

data "aws_iam_policy_document" "failures" {
  # The emulator speaks plain HTTP, and with its authorisation on it would deny even the deployment.
  for_each = toset(var.emulated ? [] : ["DenyPlainHttp"])

  statement {
    sid     = each.key
    effect  = "Deny"
    actions = ["sqs:*"]

    principals {
      type        = "*"
      identifiers = ["*"] # a denial, so everybody is the strictest choice
    }

    resources = [local.failures_arn]

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

data "aws_iam_policy_document" "schedules_assume" {
  statement {
    sid     = "SchedulesOfTheGroupAssumeTheRole"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["scheduler.${var.deployment.dns_suffix}"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.deployment.account_id]
    }

    # The group, not the schedule, is what the scheduler names here:
    # https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html
    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [aws_scheduler_schedule_group.this.arn]
    }
  }
}

resource "aws_iam_role" "schedules" {
  name               = "${var.deployment.name_prefix}-tasks-schedule"
  assume_role_policy = data.aws_iam_policy_document.schedules_assume.json
}

data "aws_iam_policy_document" "schedules" {
  statement {
    sid       = "PutTasksOnTheirQueues"
    actions   = ["sqs:SendMessage"]
    resources = local.queue_arns
  }

  statement {
    sid       = "KeepWhatFailed"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.failures.arn]
  }
}

resource "aws_iam_role_policy" "schedules" {
  name   = "schedules"
  role   = aws_iam_role.schedules.name
  policy = data.aws_iam_policy_document.schedules.json
}
