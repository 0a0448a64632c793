locals {
  queue_name       = "${var.deployment.name_prefix}-${var.name}-queue"
  dead_letter_name = "${var.deployment.name_prefix}-${var.name}-dlq"

  # A queue's policy and redrive allowance name a queue that does not exist yet (itself, or the one that
  # depends on it), so these two ARNs are built and not read.
  arn_prefix      = "arn:${var.deployment.partition}:sqs:${var.deployment.region}:${var.deployment.account_id}"
  queue_arn       = "${local.arn_prefix}:${local.queue_name}"
  dead_letter_arn = "${local.arn_prefix}:${local.dead_letter_name}"

  # A policy without a statement is none; null leaves the queue without.
  policies = {
    for name, document in data.aws_iam_policy_document.queue :
    name => !var.emulated || length(var.publishers) > 0 ? document.json : null
  }
}

# Policy and redrive allowance stand inside the queues: as resources of their own the provider waits 25 s
# for each of them, one after the other.

resource "aws_sqs_queue" "this" {
  name                       = local.queue_name
  visibility_timeout_seconds = var.settings.visibility_timeout_seconds
  message_retention_seconds  = var.settings.retention_days * 86400
  receive_wait_time_seconds  = 20
  sqs_managed_sse_enabled    = contains(keys(var.deployment.keys), "queues") ? null : true
  kms_master_key_id          = lookup(var.deployment.keys, "queues", null)
  policy                     = local.policies["queue"]

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letter.arn
    maxReceiveCount     = var.settings.max_receive_count
  })

  lifecycle {
    # A message that expires before its last receive vanishes instead of becoming a dead letter.
    precondition {
      condition     = var.settings.retention_days * 86400 > var.settings.visibility_timeout_seconds * var.settings.max_receive_count
      error_message = "The ${var.name} queue keeps a message ${var.settings.retention_days} days, too short for ${var.settings.max_receive_count} receives of ${var.settings.visibility_timeout_seconds} s each: raise retention_days."
    }
  }
}

resource "aws_sqs_queue" "dead_letter" {
  name                      = local.dead_letter_name
  message_retention_seconds = var.settings.dead_letter_retention_days * 86400
  receive_wait_time_seconds = 1 # every server is asked, and a person who looks does not wait for 20 s
  sqs_managed_sse_enabled   = contains(keys(var.deployment.keys), "queues") ? null : true
  kms_master_key_id         = lookup(var.deployment.keys, "queues", null)
  policy                    = local.policies["dead_letter"]

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [local.queue_arn]
  })

  lifecycle {
    # The clock of a dead letter starts when it was first SENT, not when it died:
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html
    # More than 14 days SQS keeps nothing. A queue that keeps its messages so long too loses a dead letter only
    # if its worker stood still for days before.
    precondition {
      condition     = var.settings.dead_letter_retention_days > var.settings.retention_days || var.settings.dead_letter_retention_days == 14
      error_message = "The dead letters of the ${var.name} queue must be kept longer than its messages, or for 14 days (got ${var.settings.dead_letter_retention_days} days against ${var.settings.retention_days})."
    }
  }
}
