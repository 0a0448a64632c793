output "configuration_set" {
  description = "Name of the configuration set every message is sent through."
  value       = aws_sesv2_configuration_set.this.configuration_set_name
}

output "configuration_set_arn" {
  description = "ARN of the configuration set, for what trusts its events."
  value       = aws_sesv2_configuration_set.this.arn
}

output "secret_name" {
  description = "Name of the secret for SMTP credentials."
  value       = aws_secretsmanager_secret.smtp.name
}

output "dkim_tokens" {
  description = "Tokens for the three DKIM records of the domain."
  value       = local.dkim_tokens
}

output "dns_records" {
  description = "Records for the owners of the zone: DKIM, the envelope sender with its SPF, and a DMARC policy to begin with."
  value       = local.dns_records
}

output "send_policy_json" {
  description = "Permission to send as the domain through the configuration set."
  value       = data.aws_iam_policy_document.send.json
}

output "account_read_policy_json" {
  description = "Permission to ask SES for the account's quota and standing."
  value       = data.aws_iam_policy_document.account_read.json
}

output "secret_read_policy_json" {
  description = "Permission to read the SMTP credentials."
  value       = data.aws_iam_policy_document.secret_read.json
}

output "identities_read_policy_json" {
  description = "Permission to read which senders are verified."
  value       = data.aws_iam_policy_document.identities_read.json
}

output "send_raw_policy_json" {
  description = "Permission to send, besides, mails that are handed over whole, as MIME."
  value       = data.aws_iam_policy_document.send_raw.json
}
