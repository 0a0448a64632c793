output "topic_arn" {
  description = "Topic on which SES says what became of each mail."
  value       = aws_sns_topic.this.arn
}

output "topic_name" {
  description = "Name of that topic, for its metrics."
  value       = local.topic_name
}

output "queue_name" {
  description = "Name of the queue of events, for its metrics."
  value       = module.queue.name
}

output "dead_letter_name" {
  description = "Name of the queue of events that were lost on the way, for its metrics."
  value       = module.queue.dead_letter_name
}

output "queue_url" {
  description = "URL of the queue of events."
  value       = module.queue.url
}

output "dead_letter_url" {
  description = "URL of the queue of events that could not be delivered or recorded."
  value       = module.queue.dead_letter_url
}

output "watch_policy_json" {
  description = "Permission to ask how many events wait."
  value       = module.queue.watch_policy_json
}

output "dead_letters_watch_policy_json" {
  description = "Permission to ask how many events were lost on the way."
  value       = module.queue.dead_letters_watch_policy_json
}

output "function_name" {
  description = "Name of the function."
  value       = module.worker.function_name
}

output "log_group_name" {
  description = "Log group of the function."
  value       = module.worker.log_group_name
}

output "policies" {
  description = "Every policy of the function's role by its name; the tests hold them to least privilege."
  value       = module.worker.policies
}

output "redrive_policy_json" {
  description = "Permission to look at the dead letters of the queue, to move them back and to throw them away."
  value       = module.queue.redrive_policy_json
}
