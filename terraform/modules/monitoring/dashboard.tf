# Read from the top: is anything red; does mail flow; is anything stuck; does the world want it. What is below
# is for finding out why.

locals {
  dashboard_width = 24

  # A widget takes 100 alarms, and every task queue brings three:
  # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
  alarm_lists  = chunklist(sort(keys(local.alarms)), 100)
  alarm_height = 4 * length(local.alarm_lists)

  mails = {
    for outcome in ["accepted", "failed", "retry", "unknown", "suppressed", "cancelled"] : outcome => [
      "Sendmill", "Messages_${outcome}", "environment", var.deployment.environment, "service", "email_worker",
    ]
  }

  figures = {
    "Longest wait (s)"     = { metrics = [["Sendmill", "SweepOldestOpenSeconds", "environment", var.deployment.environment, "service", "sweep"]], stat = "Maximum" }
    "Unknown recipients"   = { metrics = [["Sendmill", "SweepUnknown", "environment", var.deployment.environment, "service", "sweep"]], stat = "Maximum" }
    "Dead letters"         = { metrics = [for name in values(local.every_dead_letter) : ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", name]], stat = "Maximum" }
    "Daily quota used (%)" = { metrics = [["Sendmill", "AccountQuotaUsedPercent", "environment", var.deployment.environment, "service", "sweep"]], stat = "Maximum" }
    "Bounced (share)"      = { metrics = [["AWS/SES", "Reputation.BounceRate"]], stat = "Maximum" }
    "Complained (share)"   = { metrics = [["AWS/SES", "Reputation.ComplaintRate"]], stat = "Maximum" }
  }

  graphs = {
    "Mails by outcome"           = { metrics = values(local.mails), stat = "Sum" }
    "Age of the oldest message"  = { metrics = [for queue in values(var.queues) : ["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", queue.name]], stat = "Maximum" }
    "Messages waiting"           = { metrics = [for queue in values(var.queues) : ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", queue.name]], stat = "Maximum" }
    "What SES did"               = { metrics = [for event in ["Send", "Delivery", "Bounce", "Complaint", "Reject"] : ["AWS/SES", event]], stat = "Sum" }
    "Errors of functions"        = { metrics = [for function in values(var.functions) : ["AWS/Lambda", "Errors", "FunctionName", function.name]], stat = "Sum" }
    "Duration of functions, p99" = { metrics = [for function in values(var.functions) : ["AWS/Lambda", "Duration", "FunctionName", function.name]], stat = "p99" }
    "Requests to the API"        = { metrics = [for metric in ["Count", "4xx", "5xx"] : ["AWS/ApiGateway", metric, "ApiId", var.api_id]], stat = "Sum" }
    "Latency of the API, p99"    = { metrics = [["AWS/ApiGateway", "Latency", "ApiId", var.api_id]], stat = "p99" }
    "Refusals of the tables"     = { metrics = [for pair in setproduct(values(var.tables), ["ReadThrottleEvents", "WriteThrottleEvents", "TransactionConflict"]) : ["AWS/DynamoDB", pair[1], "TableName", pair[0]]], stat = "Sum" }
  }
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.deployment.name_prefix

  dashboard_body = jsonencode({
    start          = "-PT3H"
    periodOverride = "inherit"

    widgets = concat(
      [for index, names in local.alarm_lists : {
        type   = "alarm"
        x      = 0
        y      = 4 * index
        width  = local.dashboard_width
        height = 4
        properties = {
          title  = "Alarms of ${var.deployment.environment}"
          sortBy = "stateUpdatedTimestamp"
          alarms = [for name in names : aws_cloudwatch_metric_alarm.this[name].arn]
        }
      }],
      [for index, title in sort(keys(local.figures)) : {
        type   = "metric"
        x      = index * local.dashboard_width / length(local.figures)
        y      = local.alarm_height
        width  = local.dashboard_width / length(local.figures)
        height = 4
        properties = merge(local.figures[title], {
          title  = title
          view   = "singleValue"
          region = var.deployment.region
          period = 60
        })
      }],
      [for index, title in sort(keys(local.graphs)) : {
        type   = "metric"
        x      = index % 3 * 8
        y      = local.alarm_height + 4 + floor(index / 3) * 6
        width  = 8
        height = 6
        properties = merge(local.graphs[title], {
          title  = title
          view   = "timeSeries"
          region = var.deployment.region
          period = 60
        })
      }],
    )
  })
}
