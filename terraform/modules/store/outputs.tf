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
  value       = module.contacts_bucket.name
}

output "keys_secret_name" {
  description = "Name of the secret with the keys."
  value       = aws_secretsmanager_secret.keys.name
}

output "policies" {
  description = "Permissions by what they allow: a verb on a table, on the lists, or on the keys."
  value = merge(
    { for name, document in data.aws_iam_policy_document.table : name => document.json },
    { for name, document in data.aws_iam_policy_document.contacts : name => document.json },
    {
      contacts_find = data.aws_iam_policy_document.contacts_find.json
      keys_read     = data.aws_iam_policy_document.keys_read.json
    },
  )
}
