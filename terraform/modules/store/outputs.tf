output "campaigns_table" {
  description = "Name of the campaigns table."
  value       = aws_dynamodb_table.campaigns.name
}

output "recipients_table" {
  description = "Name of the recipients table."
  value       = aws_dynamodb_table.recipients.name
}

output "contacts_bucket" {
  description = "Name of the bucket of contact lists."
  value       = aws_s3_bucket.contacts.bucket
}

output "keys_secret_name" {
  description = "Name of the secret with the keys."
  value       = aws_secretsmanager_secret.keys.name
}

output "campaigns_read_policy_json" {
  description = "Permission to read campaigns and to list them by kind."
  value       = data.aws_iam_policy_document.campaigns_read.json
}

output "campaigns_write_policy_json" {
  description = "Permission to write campaigns, alone or in a transaction."
  value       = data.aws_iam_policy_document.campaigns_write.json
}

output "recipients_read_policy_json" {
  description = "Permission to read recipients."
  value       = data.aws_iam_policy_document.recipients_read.json
}

output "recipients_write_policy_json" {
  description = "Permission to write recipients, alone or in a transaction."
  value       = data.aws_iam_policy_document.recipients_write.json
}

output "lists_read_policy_json" {
  description = "Permission to read contact lists."
  value       = data.aws_iam_policy_document.lists_read.json
}

output "lists_write_policy_json" {
  description = "Permission to store contact lists."
  value       = data.aws_iam_policy_document.lists_write.json
}

output "keys_read_policy_json" {
  description = "Permission to read the keys."
  value       = data.aws_iam_policy_document.keys_read.json
}
