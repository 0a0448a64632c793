# Every alarm says its rule and its runbook, speaks on the topic of its severity, and CloudWatch may use the key.

provider "aws" {
  region                      = "us-gov-west-1"
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
}

variables {
  deployment = {
    name_prefix = "sendmill-dev"
    environment = "dev"
    partition   = "aws-us-gov"
    dns_suffix  = "amazonaws.com"
    region      = "us-gov-west-1"
    account_id  = "333333333333"
  }
  settings = {
    runbooks_url       = "docs/runbooks"
    emails             = { critical = ["oncall@example.com"] }
    ledger_age_seconds = { warning = 900, critical = 3600 }
  }
  functions           = { worker = { name = "sendmill-dev-worker", timeout_seconds = 300 } }
  queues              = { mail = { name = "mail", dead_letter_name = "mail-dlq", age_seconds = { warning = 900, critical = 3600 } } }
  dead_letter_names   = { schedule = "schedule-dlq" }
  tables              = { campaigns = "campaigns" }
  api_id              = "api"
  feedback_topic_name = "feedback"
  emulated            = false
}

run "alarms" {
  command = plan
  module { source = "./modules/monitoring" }

  override_resource {
    target          = aws_sns_topic.this
    override_during = plan
    values          = { arn = "arn:aws-us-gov:sns:us-gov-west-1:333333333333:topic" }
  }

  assert {
    condition = alltrue([
      for name, alarm in aws_cloudwatch_metric_alarm.this :
      can(regex("^[A-Z0-9].*[.] Runbook: docs/runbooks/[a-z-]+[.]md$", alarm.alarm_description))
      && fileexists("${path.root}/../../../${regex("Runbook: (.*)$", alarm.alarm_description)[0]}")
    ])
    error_message = "These alarms have no rule or no runbook: ${jsonencode([for alarm in aws_cloudwatch_metric_alarm.this : alarm.alarm_description if !can(regex("^[A-Z0-9].*[.] Runbook: docs/runbooks/[a-z-]+[.]md$", alarm.alarm_description))])}."
  }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.this : length(alarm.alarm_actions) == 1 && alarm.actions_enabled && alarm.treat_missing_data != "missing"])
    error_message = "An alarm speaks to nobody, or does not say what missing data mean."
  }

  assert {
    condition = alltrue([
      for name in ["ledger-age-warning", "ledger-age-critical", "sweep-heartbeat-critical"] :
      aws_cloudwatch_metric_alarm.this[name].treat_missing_data == "breaching"
    ])
    error_message = "A sweep that says nothing is taken for one that found nothing."
  }

  assert {
    condition = {
      for name in ["ledger-age-warning", "ledger-age-critical", "dead-letters-mail-critical", "dead-letters-schedule-critical", "function-duration-worker-warning"] :
      name => aws_cloudwatch_metric_alarm.this[name].threshold
      } == {
      ledger-age-warning               = 900
      ledger-age-critical              = 3600
      dead-letters-mail-critical       = 0
      dead-letters-schedule-critical   = 0
      function-duration-worker-warning = 240000
    }
    error_message = "A threshold is another one."
  }

  # Each level is stricter than the one before, or lasts longer: a pair that fires together is no pair.
  assert {
    condition = alltrue([
      for name, alarm in aws_cloudwatch_metric_alarm.this :
      alarm.threshold > aws_cloudwatch_metric_alarm.this[replace(name, "/-critical$/", "-warning")].threshold
      || alarm.evaluation_periods > aws_cloudwatch_metric_alarm.this[replace(name, "/-critical$/", "-warning")].evaluation_periods
      if endswith(name, "-critical") && contains(keys(aws_cloudwatch_metric_alarm.this), replace(name, "/-critical$/", "-warning"))
    ])
    error_message = "A warning and its page fire at the same moment."
  }

  assert {
    condition = anytrue([
      for statement in jsondecode(data.aws_iam_policy_document.key.json).Statement :
      try([
        statement.Principal.Service,
        contains(statement.Action, "kms:Decrypt"),
        statement.Condition.ArnLike["aws:SourceArn"],
      ], []) == ["cloudwatch.amazonaws.com", true, "arn:aws-us-gov:cloudwatch:us-gov-west-1:333333333333:alarm:sendmill-dev-*"]
    ])
    error_message = "CloudWatch may not use the key of the topics: alarms would fire unheard."
  }

  assert {
    condition     = [for one in aws_sns_topic_subscription.email : one.endpoint] == ["oncall@example.com"]
    error_message = "The person on call gets no mail."
  }
}

# CloudWatch refuses a widget of more than 100 alarms, and with it the whole dashboard.
run "a_dashboard_shows_every_alarm_however_many_there_are" {
  command = plan
  module { source = "./modules/monitoring" }
  variables {
    queues = {
      for n in range(40) : "q${n}" => { name = "q${n}", dead_letter_name = "q${n}-dlq", age_seconds = { warning = 900, critical = 3600 } }
    }
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.this) > 100 && alltrue([for names in local.alarm_lists : length(names) <= 100])
    error_message = "A widget holds more alarms than CloudWatch takes: ${jsonencode([for names in local.alarm_lists : length(names)])}."
  }

  assert {
    condition     = toset(flatten(local.alarm_lists)) == toset(keys(aws_cloudwatch_metric_alarm.this))
    error_message = "The dashboard leaves alarms out."
  }
}
