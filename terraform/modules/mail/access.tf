data "aws_iam_policy_document" "send" {
  statement {
    # Content is sent in parts and never raw, which would ask for ses:SendRawEmail too.
    sid     = "SendAsOurDomainOnly"
    actions = ["ses:SendEmail"]

    # With its authorisation on, the emulator understands no SES resource and no SES condition key: there,
    # and only there, the permission is a bare "*".
    resources = var.emulated ? ["*"] : [
      aws_sesv2_email_identity.this.arn,
      aws_sesv2_configuration_set.this.arn,
    ]

    dynamic "condition" {
      for_each = var.emulated ? [] : ["*@${var.domain}"]

      content {
        test     = "StringLike"
        variable = "ses:FromAddress"
        values   = [condition.value]
      }
    }
  }
}

data "aws_iam_policy_document" "send_raw" {
  statement {
    # What another program wrote (Django's mails) is handed over whole, and SES asks for this besides.
    sid     = "SendWholeAsOurDomainOnly"
    actions = ["ses:SendRawEmail"]

    # With its authorisation on, the emulator understands no SES resource and no SES condition key: there,
    # and only there, the permission is a bare "*".
    resources = var.emulated ? ["*"] : [
      aws_sesv2_email_identity.this.arn,
      aws_sesv2_configuration_set.this.arn,
    ]

    dynamic "condition" {
      for_each = var.emulated ? [] : ["*@${var.domain}"]

      content {
        test     = "StringLike"
        variable = "ses:FromAddress"
        values   = [condition.value]
      }
    }
  }
}

data "aws_iam_policy_document" "account_read" {
  statement {
    sid     = "ReadQuotaAndStanding"
    actions = ["ses:GetAccount"]
    # The action is about the account and takes no resource:
    # https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsimpleemailservicev2.html
    resources = ["*"]
  }
}

data "aws_iam_policy_document" "identities_read" {
  statement {
    sid     = "ListIdentities"
    actions = ["ses:ListEmailIdentities"]
    # The action is about the account and takes no resource.
    resources = ["*"]
  }

  # The checklist says whether the sender that a campaign names is verified.
  statement {
    sid       = "ReadIdentities"
    actions   = ["ses:GetEmailIdentity"]
    resources = var.emulated ? ["*"] : ["arn:${var.deployment.partition}:ses:${var.deployment.region}:${var.deployment.account_id}:identity/*"]
  }
}

data "aws_iam_policy_document" "secret_read" {
  statement {
    sid       = "ReadSmtpCredentials"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [aws_secretsmanager_secret.smtp.arn]
  }
}
