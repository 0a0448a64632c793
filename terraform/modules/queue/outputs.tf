output "url" {
  description = "URL to send to."
  value       = aws_sqs_queue.this.url
}

output "dead_letter_url" {
  description = "URL of the dead-letter queue."
  value       = aws_sqs_queue.dead_letter.url
}

output "send_policy_json" {
  description = "Permission to send to the queue."
  value       = data.aws_iam_policy_document.send.json
}

output "source" {
  description = "What a worker needs to consume the queue: its ARN, the permission, and the time a message stays hidden."
  value = {
    arn                        = aws_sqs_queue.this.arn
    consume_policy_json        = data.aws_iam_policy_document.consume.json
    visibility_timeout_seconds = var.settings.visibility_timeout_seconds
  }
}
