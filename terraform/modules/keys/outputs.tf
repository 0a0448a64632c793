output "arns" {
  description = "Key for each purpose: data (tables, lists, secrets), queues, logs; none when AWS keeps the keys."
  value       = { for purpose, key in aws_kms_key.this : purpose => key.arn }
}
