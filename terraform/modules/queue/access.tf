data "aws_iam_policy_document" "encrypted_transport" {
  for_each = {
    queue       = local.queue_arn
    dead_letter = local.dead_letter_arn
  }

  statement {
    sid     = "DenyPlainHttp"
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

data "aws_iam_policy_document" "send" {
  statement {
    sid       = "Send"
    actions   = ["sqs:SendMessage"] # also covers SendMessageBatch
    resources = [aws_sqs_queue.this.arn]
  }
}

data "aws_iam_policy_document" "consume" {
  statement {
    sid = "Consume"
    actions = [
      "sqs:ChangeMessageVisibility",
      "sqs:DeleteMessage",
      "sqs:GetQueueAttributes",
      "sqs:ReceiveMessage",
    ]
    resources = [aws_sqs_queue.this.arn]
  }
}
