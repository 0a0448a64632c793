output "topic_arns" {
  description = "Topic on which the alarms of each severity speak; whoever is on call subscribes."
  value       = { for severity, topic in aws_sns_topic.this : severity => topic.arn }
}

output "alarms" {
  description = "Rule, severity and runbook of every alarm, by its name."
  value = {
    for name, alarm in local.alarms : "${var.deployment.name_prefix}-${name}" => {
      rule     = alarm.rule
      severity = alarm.severity
      runbook  = alarm.runbook
    }
  }
}

output "dashboard_name" {
  description = "Name of the dashboard."
  value       = aws_cloudwatch_dashboard.this.dashboard_name
}
