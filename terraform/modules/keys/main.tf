# A key for each purpose, so that one can be looked at, or taken away, without the others. What stands under
# each can be read only through the service that keeps it, and only by the roles of this deployment.

locals {
  purposes = var.enabled ? {
    data   = { holds = "tables, contact lists and secrets", services = ["dynamodb", "s3", "secretsmanager"] }
    queues = { holds = "messages", services = ["sqs"] }
    logs   = { holds = "logs", services = [] }
  } : {}

  arn_prefix = "arn:${var.deployment.partition}:%s:${var.deployment.region}:${var.deployment.account_id}"
  log_groups = [
    "${format(local.arn_prefix, "logs")}:log-group:/aws/lambda/${var.deployment.name_prefix}-*",
    "${format(local.arn_prefix, "logs")}:log-group:/aws/vendedlogs/apigateway/${var.deployment.name_prefix}",
  ]
}

resource "aws_kms_key" "this" {
  for_each = local.purposes

  description             = "Encrypts ${each.value.holds} of ${var.deployment.name_prefix}"
  policy                  = data.aws_iam_policy_document.key[each.key].json
  enable_key_rotation     = true
  deletion_window_in_days = 30
}

resource "aws_kms_alias" "this" {
  for_each = local.purposes

  name          = "alias/${var.deployment.name_prefix}-${each.key}"
  target_key_id = aws_kms_key.this[each.key].key_id
}

data "aws_iam_policy_document" "key" {
  #checkov:skip=CKV_AWS_109:in a key's policy a star is this key, and the account must keep every action
  #checkov:skip=CKV_AWS_111:the same
  #checkov:skip=CKV_AWS_356:the same
  for_each = local.purposes

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

  dynamic "statement" {
    for_each = length(each.value.services) > 0 ? ["OurRolesThroughTheService"] : []

    content {
      sid       = statement.value
      actions   = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
      resources = ["*"]

      # Roles come after the tables that come after the keys, so they are known by their name here.
      principals {
        type        = "AWS"
        identifiers = ["*"]
      }

      condition {
        test     = "StringEquals"
        variable = "kms:CallerAccount"
        values   = [var.deployment.account_id]
      }

      condition {
        test     = "ArnLike"
        variable = "aws:PrincipalArn"
        values   = ["arn:${var.deployment.partition}:iam::${var.deployment.account_id}:role/${var.deployment.name_prefix}-*"]
      }

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = [for service in each.value.services : "${service}.${var.deployment.region}.${var.deployment.dns_suffix}"]
      }
    }
  }

  # SNS hands the events of SES to a queue as itself:
  # https://docs.aws.amazon.com/sns/latest/dg/sns-enable-encryption-for-topic-sqs-queue-subscriptions.html
  dynamic "statement" {
    for_each = each.key == "queues" ? ["OurTopicsHandOver"] : []

    content {
      sid       = statement.value
      actions   = ["kms:Decrypt", "kms:GenerateDataKey*"]
      resources = ["*"]

      principals {
        type        = "Service"
        identifiers = ["sns.${var.deployment.dns_suffix}"]
      }

      condition {
        test     = "ArnLike"
        variable = "aws:SourceArn"
        values   = ["${format(local.arn_prefix, "sns")}:${var.deployment.name_prefix}-*"]
      }
    }
  }

  # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
  dynamic "statement" {
    for_each = each.key == "logs" ? ["OurLogGroups"] : []

    content {
      sid       = statement.value
      actions   = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
      resources = ["*"]

      principals {
        type        = "Service"
        identifiers = ["logs.${var.deployment.region}.${var.deployment.dns_suffix}"]
      }

      condition {
        test     = "ArnLike"
        variable = "kms:EncryptionContext:aws:logs:arn"
        values   = local.log_groups
      }
    }
  }
}
