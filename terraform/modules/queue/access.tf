# Who may do what with the two queues. Policies of functions are exports; these two stand on the queues.

data "aws_iam_policy_document" "queue" {
  for_each = {
    queue       = local.queue_arn
    dead_letter = local.dead_letter_arn
  }

  dynamic "statement" {
    # The emulator speaks plain HTTP, and with its authorisation on it would deny even the deployment.
    for_each = var.emulated ? [] : ["DenyPlainHttp"]

    content {
      sid     = statement.value
      effect  = "Deny"
      actions = ["sqs:*"]

      principals {
        type        = "*"
        identifiers = ["*"] # a denial, so everybody is the strictest choice
      }

      resources = [each.value]

      condition {
        test     = "Bool"
        variable = "aws:SecureTransport"
        values   = ["false"]
      }
    }
  }

  # A service sends as itself, not in a role. What it cannot deliver to the queue it may put beside it, so
  # that the dead-letter queue holds everything that did not arrive.
  dynamic "statement" {
    for_each = var.publishers

    content {
      sid       = "${title(statement.key)}Sends"
      actions   = ["sqs:SendMessage"]
      resources = [each.value]

      principals {
        type        = "Service"
        identifiers = [statement.value.service]
      }

      condition {
        test     = "ArnEquals"
        variable = "aws:SourceArn"
        values   = [statement.value.source_arn]
      }
    }
  }
}

# On AWS the permission for a call covers the call for ten at once, and a batch action does not exist. With its
# authorisation on, the emulator asks for the batch by its own name.

data "aws_iam_policy_document" "send" {
  statement {
    sid       = "Send"
    actions   = concat(["sqs:SendMessage"], var.emulated ? ["sqs:SendMessageBatch"] : [])
    resources = [aws_sqs_queue.this.arn]
  }
}

data "aws_iam_policy_document" "consume" {
  statement {
    sid = "Consume"
    actions = concat([
      "sqs:ChangeMessageVisibility",
      "sqs:DeleteMessage",
      "sqs:GetQueueAttributes",
      "sqs:ReceiveMessage",
    ], var.emulated ? ["sqs:ChangeMessageVisibilityBatch"] : [])
    resources = [aws_sqs_queue.this.arn]
  }
}

data "aws_iam_policy_document" "watch" {
  for_each = {
    queue       = aws_sqs_queue.this.arn
    dead_letter = aws_sqs_queue.dead_letter.arn
  }

  statement {
    sid       = "Watch"
    actions   = ["sqs:GetQueueAttributes"]
    resources = [each.value]
  }
}

# A move task receives, deletes and sends in the caller's name, as the guide lists:
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-dead-letter-queue-redrive.html
data "aws_iam_policy_document" "redrive" {
  statement {
    sid = "HandleDeadLetters"
    actions = [
      "sqs:DeleteMessage",
      "sqs:GetQueueAttributes",
      "sqs:PurgeQueue",
      "sqs:ReceiveMessage",
    ]
    resources = [aws_sqs_queue.dead_letter.arn]
  }

  statement {
    sid = "MoveDeadLetters"
    actions = [
      "sqs:ListMessageMoveTasks",
      "sqs:StartMessageMoveTask",
    ]
    # With its authorisation on, the emulator looks for a queue's URL, which these calls do not carry.
    resources = var.emulated ? ["*"] : [aws_sqs_queue.dead_letter.arn]
  }

  statement {
    sid       = "SendThemBack"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.this.arn]
  }
}
