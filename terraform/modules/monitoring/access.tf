# The key AWS keeps for SNS (alias/aws/sns) cannot be opened to CloudWatch: the alarm would fire, and nobody
# hear. So the topics have a key of their own, whose policy lets alarms in:
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html

resource "aws_kms_key" "this" {
  description         = "Encrypts what the alarms of ${var.deployment.name_prefix} say"
  policy              = data.aws_iam_policy_document.key.json
  enable_key_rotation = true

  # The shortest there is: a notification stays under this key for seconds.
  deletion_window_in_days = 7
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

  statement {
    sid       = "OurAlarmsEncrypt"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey*"]
    resources = ["*"]

    principals {
      type        = "Service"
      identifiers = ["cloudwatch.${var.deployment.dns_suffix}"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.deployment.account_id]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = [local.alarm_arns]
    }
  }
}

data "aws_iam_policy_document" "topic" {
  for_each = local.severities

  statement {
    sid       = "OurAlarmsPublish"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.this[each.key].arn]

    principals {
      type        = "Service"
      identifiers = ["cloudwatch.${var.deployment.dns_suffix}"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.deployment.account_id]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = [local.alarm_arns]
    }
  }

  dynamic "statement" {
    # The emulator speaks plain HTTP, and with its authorisation on it would deny every alarm.
    for_each = var.emulated ? [] : ["DenyPlainHttp"]

    content {
      sid       = statement.value
      effect    = "Deny"
      actions   = ["sns:Publish"]
      resources = [aws_sns_topic.this[each.key].arn]

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
