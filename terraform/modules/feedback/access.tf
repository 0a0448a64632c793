# Events come from our configuration set alone: anything else on the topic could mark people as bounced.
data "aws_iam_policy_document" "topic" {
  statement {
    sid       = "OurConfigurationSetPublishes"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.this.arn]

    principals {
      type        = "Service"
      identifiers = ["ses.${var.deployment.dns_suffix}"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.deployment.account_id]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [var.configuration_set.arn]
    }
  }

  dynamic "statement" {
    # The emulator speaks plain HTTP, and with its authorisation on it would deny every event.
    for_each = var.emulated ? [] : ["DenyPlainHttp"]

    content {
      sid       = statement.value
      effect    = "Deny"
      actions   = ["sns:Publish"]
      resources = [aws_sns_topic.this.arn]

      principals {
        type        = "*"
        identifiers = ["*"] # a denial, so everybody is the strictest choice
      }

      condition {
        test     = "Bool"
        variable = "aws:SecureTransport"
        values   = ["false"]
      }
    }
  }
}

data "aws_iam_policy_document" "key" {
  #checkov:skip=CKV_AWS_109:in a key's policy a star is this key, and the account must keep every action
  #checkov:skip=CKV_AWS_111:the same
  #checkov:skip=CKV_AWS_356:the same
  # In a key's policy "*" is this key, and the account must keep every action, or nobody could ever change it:
  # https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html
  statement {
    sid       = "TheAccountAdministers"
    actions   = ["kms:*"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["arn:${var.deployment.partition}:iam::${var.deployment.account_id}:root"]
    }
  }

  # Bound to the topic by the encryption context SNS gives. SES documents no aws:SourceArn towards KMS; who may
  # publish is the topic's policy: https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
  statement {
    sid       = "SesEncryptsForTheTopic"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey*"]
    resources = ["*"]

    principals {
      type        = "Service"
      identifiers = ["ses.${var.deployment.dns_suffix}"]
    }

    condition {
      test     = "StringEquals"
      variable = "kms:EncryptionContext:aws:sns:topicArn"
      values   = [local.topic_arn]
    }
  }
}
