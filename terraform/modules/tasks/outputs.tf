output "queues" {
  description = "URL, ARN and dead-letter URL of each queue by its name."
  value = {
    for name, queue in module.queue : name => {
      url             = queue.url
      arn             = queue.arn
      dead_letter_url = queue.dead_letter_url
    }
  }
}

output "work_queues" {
  description = "The queues as the API's setting TASK_QUEUES lists them."
  value = [
    for name, queue in module.queue : {
      name            = local.queue_names[name]
      url             = queue.url
      dead_letter_url = queue.dead_letter_url
    }
  ]
}

output "watched_queues" {
  description = "The queues as modules/monitoring watches them; a task that waits an hour is late."
  value = {
    for name, queue in module.queue : local.queue_names[name] => {
      name             = queue.name
      dead_letter_name = queue.dead_letter_name
      age_seconds      = { warning = 900, critical = 3600 }
    }
  }
}

output "schedule_dead_letter_name" {
  description = "Name of the queue of ticks that did not reach their queue."
  value       = aws_sqs_queue.failures.name
}

output "schedule_dead_letter_url" {
  description = "URL of the queue of ticks that did not reach their queue."
  value       = aws_sqs_queue.failures.url
}

output "files_bucket" {
  description = "Name of the bucket of the tasks' files."
  value       = module.files_bucket.name
}

output "receipts_table" {
  description = "Name of the table of receipts."
  value       = aws_dynamodb_table.receipts.name
}

output "send_policy_json" {
  description = "Permission to have tasks run, for the application's role."
  value       = data.aws_iam_policy_document.application["send"].json
}

output "upload_policy_json" {
  description = "Permission to upload the files of reports and large arguments, for the application's role."
  value       = data.aws_iam_policy_document.application["upload"].json
}

output "receipts_policy_json" {
  description = "Permission to share the table of receipts, for the application's role."
  value       = data.aws_iam_policy_document.application["receipts"].json
}

output "delay_policy_json" {
  description = "Permission to have a task wait for more than 15 minutes, for the application's role."
  value       = data.aws_iam_policy_document.delay.json
}

output "schedule_group" {
  description = "Group of the schedules of tasks."
  value       = aws_scheduler_schedule_group.this.name
}

output "schedule_role_arn" {
  description = "Role by which a schedule puts a task on its queue."
  value       = aws_iam_role.schedules.arn
}

output "operator_policies" {
  description = "What operators of the queues may do, by a short name: list tasks, watch the queues, handle their dead letters."
  value = merge(
    {
      tasks-list  = data.aws_iam_policy_document.receipts_list.json
      tasks-watch = data.aws_iam_policy_document.watch.json
    },
    { for name, queue in module.queue : "${local.queue_names[name]}-redrive" => queue.redrive_policy_json },
  )
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
