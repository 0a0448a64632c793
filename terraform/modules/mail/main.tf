# Who we are when we send. DNS records are outputs, not resources: public zones seldom live in the account
# that sends, and in GovCloud they cannot.

resource "aws_sesv2_email_identity" "this" {
  email_identity = var.domain

  # No dkim_signing_attributes: SES signs with keys of its own, 2048 bits long unless told otherwise.

  lifecycle {
    precondition {
      condition     = endswith(var.default_from_email, "@${var.domain}") && length(split("@", var.default_from_email)) == 2
      error_message = "default_from_email must be an address of mail_domain ${var.domain} (got \"${var.default_from_email}\")."
    }
  }
}

# SPF passes for the sender's own domain only with an envelope sender below it. Until the MX record exists
# SES falls back to its own domain, so this breaks nothing.
resource "aws_sesv2_email_identity_mail_from_attributes" "this" {
  # ministack 1.5.33 answers PutEmailIdentityMailFromAttributes with "unknown operation".
  for_each = var.emulated ? {} : { this = local.mail_from }

  email_identity         = aws_sesv2_email_identity.this.email_identity
  mail_from_domain       = each.value
  behavior_on_mx_failure = "USE_DEFAULT_VALUE"
}

resource "aws_sesv2_configuration_set" "this" {
  configuration_set_name = var.deployment.name_prefix

  delivery_options {
    tls_policy = "REQUIRE"
  }

  reputation_options {
    reputation_metrics_enabled = true
  }

  sending_options {
    sending_enabled = true
  }
}

# The container only. An operator puts the value in, and Terraform never sees it.
resource "aws_secretsmanager_secret" "smtp" {
  #checkov:skip=CKV2_AWS_57:the SMTP server gives the credentials, and an operator puts them in
  name                    = var.secret_name
  description             = "SMTP credentials of Sendmill, put in by an operator"
  recovery_window_in_days = var.secret_recovery_days
  kms_key_id              = lookup(var.deployment.keys, "data", null)
}
