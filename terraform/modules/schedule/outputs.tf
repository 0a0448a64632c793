output "campaign_group" {
  description = "Schedule group into which the API puts the campaigns that start later."
  value       = aws_scheduler_schedule_group.campaigns.name
}

output "campaign_role_arn" {
  description = "Role such a schedule must have; it may only send to the dispatch queue."
  value       = aws_iam_role.campaigns.arn
}

output "campaign_role_policies" {
  description = "Every policy of that role by its name; the tests hold them to least privilege."
  value       = local.campaign_role_policies
}

output "manage_policy_json" {
  description = "Permission to make schedules of campaigns, with that role and no other."
  value       = data.aws_iam_policy_document.manage.json
}

output "dead_letter_url" {
  description = "URL of the queue of sweeps that did not run or did not end well."
  value       = aws_sqs_queue.failures.url
}

output "dead_letter_name" {
  description = "Name of that queue, for its metrics."
  value       = local.failures_name
}

output "function_name" {
  description = "Name of the function."
  value       = module.function.name
}

output "log_group_name" {
  description = "Log group of the function."
  value       = module.function.log_group_name
}

output "policies" {
  description = "Every policy of the function's role by its name; the tests hold them to least privilege."
  value       = module.function.policies
}
