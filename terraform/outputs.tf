# Read by the command line, the tests and the people at the console; `make -s output` prints them as JSON.

output "environment" {
  description = "Name of this deployment, the same as its workspace."
  value       = var.environment
}

output "region" {
  description = "AWS region of every resource."
  value       = local.deployment.region
}

output "api_url" {
  description = "Base URL of the HTTP API, without a trailing slash."
  value       = module.api.url
}

output "api_id" {
  description = "Id of the HTTP API; on the emulator it is part of the address."
  value       = module.api.id
}

output "import_queue_url" {
  description = "Queue on which the API asks for an uploaded file to be read."
  value       = module.import_queue.url
}

output "import_dlq_url" {
  description = "Dead-letter queue of the import queue."
  value       = module.import_queue.dead_letter_url
}

output "dispatch_queue_url" {
  description = "Queue on which the API asks for a campaign to be fanned out."
  value       = module.dispatch_queue.url
}

output "dispatch_dlq_url" {
  description = "Dead-letter queue of the dispatch queue."
  value       = module.dispatch_queue.dead_letter_url
}

output "email_queue_url" {
  description = "Queue with one message a recipient; its message shape is public, anybody allowed may send to it."
  value       = module.email_queue.url
}

output "email_dlq_url" {
  description = "Dead-letter queue of the e-mail queue."
  value       = module.email_queue.dead_letter_url
}

output "feedback_topic_arn" {
  description = "Topic on which SES says what became of each mail."
  value       = module.feedback.topic_arn
}

output "feedback_queue_url" {
  description = "Queue of what SES says became of each mail."
  value       = module.feedback.queue_url
}

output "feedback_dlq_url" {
  description = "Dead-letter queue of the feedback queue, also of what the topic could not deliver."
  value       = module.feedback.dead_letter_url
}

output "schedule_group" {
  description = "Schedule group of the campaigns that start later."
  value       = module.schedule.campaign_group
}

output "schedule_dlq_url" {
  description = "Queue of sweeps that did not run or did not end well."
  value       = module.schedule.dead_letter_url
}

output "task_queue_url" {
  description = "Queue an application sends its tasks to, unless it names another."
  value       = module.tasks.queues["tasks"].url
}

output "task_dlq_url" {
  description = "Dead-letter queue of that queue."
  value       = module.tasks.queues["tasks"].dead_letter_url
}

output "task_queue_urls" {
  description = "Every task queue by its name."
  value       = { for name, queue in module.tasks.queues : name => queue.url }
}

output "task_dlq_urls" {
  description = "Dead-letter queue of every task queue by its name."
  value       = { for name, queue in module.tasks.queues : name => queue.dead_letter_url }
}

output "task_schedule_dlq_url" {
  description = "Queue of ticks of periodic tasks that did not reach their queue."
  value       = module.tasks.schedule_dead_letter_url
}

output "task_files_bucket" {
  description = "Bucket of the tasks' files: reports, templates, exports, large arguments."
  value       = module.tasks.files_bucket
}

output "task_receipts_table" {
  description = "Table that says what became of each task."
  value       = module.tasks.receipts_table
}

output "task_send_policy_json" {
  description = "Permission to send tasks and nothing else; the application attaches it to its own role."
  value       = module.tasks.send_policy_json
}

output "task_upload_policy_json" {
  description = "Permission to upload files for tasks (reports, large arguments), for the application's role."
  value       = module.tasks.upload_policy_json
}

output "task_receipts_policy_json" {
  description = "Permission to share the table that says what became of each task, for the application's role."
  value       = module.tasks.receipts_policy_json
}

output "task_delay_policy_json" {
  description = "Permission to send tasks that are due in more than 15 minutes, for the application's role."
  value       = module.tasks.delay_policy_json
}

output "task_schedule_group" {
  description = "Schedule group of tasks that are due in more than 15 minutes, and of periodic ones."
  value       = module.tasks.schedule_group
}

output "task_schedule_role_arn" {
  description = "Role by which these schedules put tasks on their queues."
  value       = module.tasks.schedule_role_arn
}

output "campaigns_table" {
  description = "Table of campaigns, lists, chunks, counters and suppressions."
  value       = module.store.campaigns_table
}

output "recipients_table" {
  description = "Table with one row a recipient of a campaign: the ledger."
  value       = module.store.recipients_table
}

output "contacts_bucket" {
  description = "Bucket that keeps the contact lists."
  value       = module.store.contacts_bucket
}

output "user_pool_id" {
  description = "Cognito user pool of the API's users; empty when another issuer signs the tokens."
  value       = module.auth.user_pool_id
}

output "user_pool_client_id" {
  description = "Cognito app client of the API's users; empty when another issuer signs the tokens."
  value       = module.auth.user_pool_client_id
}

output "sign_in" {
  description = "How the console signs people in: endpoints, public client and scope."
  value       = module.auth.sign_in
}

output "token_endpoint" {
  description = "Where programs get access tokens for their client's credentials."
  value       = module.auth.token_endpoint
}

output "program_client_ids" {
  description = "Client id of each program of var.programs; its secret is read from Cognito."
  value       = module.auth.program_client_ids
}

output "console_urls" {
  description = "Where the console is opened; a sign-in comes back to one of these."
  value       = local.console_urls
}

output "mail_secret_name" {
  description = "Secret into which an operator puts SMTP credentials; Terraform never sees its value."
  value       = module.mail.secret_name
}

output "mail_dkim_tokens" {
  description = "Tokens for the CNAME records <token>._domainkey.<mail_domain>; the DNS owners add them (see modules/mail/README.md)."
  value       = module.mail.dkim_tokens
}

output "mail_dns_records" {
  description = "DNS records that the mail domain needs (DKIM, MAIL FROM, SPF, DMARC); not made here, since public zones seldom live in this account."
  value       = module.mail.dns_records
}

output "keys_secret_name" {
  description = "Secret with the keys that sign unsubscribe links and name recipients; made once, never in the state."
  value       = module.store.keys_secret_name
}

output "ses_configuration_set" {
  description = "SES configuration set every message is sent through."
  value       = module.mail.configuration_set
}

output "function_names" {
  description = "Lambda function of each job."
  value = {
    api             = module.api.function_name
    import_contacts = module.import_contacts.function_name
    dispatch        = module.dispatch.function_name
    email_worker    = module.email_worker.function_name
    feedback        = module.feedback.function_name
    sweep           = module.schedule.function_name
    task_processor  = module.tasks.function_name
  }
}

output "log_group_names" {
  description = "Log group of each function, and the access log of the API."
  value = {
    api             = module.api.log_group_name
    api_access      = module.api.access_log_group_name
    import_contacts = module.import_contacts.log_group_name
    dispatch        = module.dispatch.log_group_name
    email_worker    = module.email_worker.log_group_name
    feedback        = module.feedback.log_group_name
    sweep           = module.schedule.log_group_name
    task_processor  = module.tasks.log_group_name
  }
}

output "alarm_topic_arns" {
  description = "Topic on which the alarms of each severity speak; whoever is on call subscribes."
  value       = module.monitoring.topic_arns
}

output "alarms" {
  description = "Rule, severity and runbook of every alarm, by its name."
  value       = module.monitoring.alarms
}

output "dashboard_name" {
  description = "CloudWatch dashboard of this deployment."
  value       = module.monitoring.dashboard_name
}

output "release" {
  description = "Name of what is deployed: `make deploy MANIFEST=<name>` comes back to it."
  value       = module.artefacts.release
}
