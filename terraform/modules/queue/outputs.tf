output "url" {
  description = "URL to send to."
  value       = aws_sqs_queue.this.url
}

output "name" {
  description = "Name of the queue, for its metrics."
  value       = local.queue_name
}

output "dead_letter_name" {
  description = "Name of the dead-letter queue, for its metrics."
  value       = local.dead_letter_name
}

output "arn" {
  description = "ARN of the queue, for what sends to it by ARN."
  value       = aws_sqs_queue.this.arn
}

output "dead_letter_arn" {
  description = "ARN of the dead-letter queue."
  value       = aws_sqs_queue.dead_letter.arn
}

output "dead_letter_url" {
  description = "URL of the dead-letter queue."
  value       = aws_sqs_queue.dead_letter.url
}

output "send_policy_json" {
  description = "Permission to send to the queue."
  value       = data.aws_iam_policy_document.send.json
}

output "watch_policy_json" {
  description = "Permission to ask how many messages the queue holds."
  value       = data.aws_iam_policy_document.watch["queue"].json
}

output "dead_letters_watch_policy_json" {
  description = "Permission to ask how many dead letters there are."
  value       = data.aws_iam_policy_document.watch["dead_letter"].json
}

output "redrive_policy_json" {
  description = "Permission to look at dead letters, to send them back to the queue, and to drop them."
  value       = data.aws_iam_policy_document.redrive.json
}

output "policies_json" {
  description = "Policy of the queue and of the dead-letter queue; the tests hold them to the publishers."
  value       = local.policies
}

output "source" {
  description = "What a worker needs to consume the queue: its ARN, the permission, and the time a message stays hidden."
  value = {
    arn                        = aws_sqs_queue.this.arn
    consume_policy_json        = data.aws_iam_policy_document.consume.json
    visibility_timeout_seconds = var.settings.visibility_timeout_seconds
  }
}
