# What tells people that something is wrong, before those who wait for their mail do. A watch is data
# (watches_*.tf); here each of its levels becomes an alarm, and each severity has a topic of its own.

locals {
  watches = merge(local.ledger_watches, local.delivery_watches, local.platform_watches)

  alarms = merge([
    for name, watch in local.watches : {
      for severity, level in watch.levels : "${name}-${severity}" => merge(watch, level, { severity = severity })
    }
  ]...)

  severities = toset(["warning", "critical"])

  # The key's policy names what may use it before any of that exists, so these ARNs are built and not read.
  alarm_arns = "arn:${var.deployment.partition}:cloudwatch:${var.deployment.region}:${var.deployment.account_id}:alarm:${var.deployment.name_prefix}-*"
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name        = "${var.deployment.name_prefix}-${each.key}"
  alarm_description = "${each.value.rule} Runbook: ${var.settings.runbooks_url}/${each.value.runbook}.md"

  comparison_operator = try(each.value.comparison, "GreaterThanThreshold")
  threshold           = each.value.threshold
  evaluation_periods  = each.value.periods
  datapoints_to_alarm = try(each.value.datapoints, each.value.periods)
  treat_missing_data  = try(each.value.missing, "notBreaching")

  # A share of something is two metrics and a sum, for which the alarm has another form.
  namespace          = can(each.value.share_of) ? null : each.value.namespace
  metric_name        = can(each.value.share_of) ? null : each.value.metric
  dimensions         = can(each.value.share_of) ? null : each.value.dimensions
  period             = can(each.value.share_of) ? null : each.value.period_seconds
  statistic          = can(each.value.share_of) || can(each.value.percentile) ? null : each.value.statistic
  extended_statistic = try(each.value.percentile, null)

  dynamic "metric_query" {
    for_each = can(each.value.share_of) ? { part = each.value.metric, whole = each.value.share_of } : {}

    content {
      id          = metric_query.key
      return_data = false

      metric {
        namespace   = each.value.namespace
        metric_name = metric_query.value
        dimensions  = each.value.dimensions
        period      = each.value.period_seconds
        stat        = each.value.statistic
      }
    }
  }

  dynamic "metric_query" {
    # What failed before it was counted must not divide by nothing.
    for_each = can(each.value.share_of) ? { percent = "100 * part / MAX([part, whole])" } : {}

    content {
      id          = metric_query.key
      label       = "percent"
      expression  = metric_query.value
      return_data = true
    }
  }

  alarm_actions = [aws_sns_topic.this[each.value.severity].arn]
  ok_actions    = [aws_sns_topic.this[each.value.severity].arn]

  # An alarm that fires before its topic's policy stands is heard by nobody.
  depends_on = [aws_sns_topic_policy.this]
}

resource "aws_sns_topic" "this" {
  for_each = local.severities

  name              = "${var.deployment.name_prefix}-alarms-${each.key}"
  kms_master_key_id = aws_kms_key.this.arn
}

resource "aws_sns_topic_policy" "this" {
  for_each = local.severities

  arn    = aws_sns_topic.this[each.key].arn
  policy = data.aws_iam_policy_document.topic[each.key].json
}

resource "aws_sns_topic_subscription" "email" {
  for_each = merge([
    for severity, addresses in var.settings.emails : {
      for address in addresses : "${severity} ${address}" => { severity = severity, address = address }
    }
  ]...)

  topic_arn = aws_sns_topic.this[each.value.severity].arn
  protocol  = "email"
  endpoint  = each.value.address
}
