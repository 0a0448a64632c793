# sweep is woken every minute; a campaign's schedule asks for that campaign and can do nothing else.

provider "aws" {
  region                      = "us-east-1"
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
}

provider "aws" {
  alias                       = "govcloud"
  region                      = "us-gov-west-1"
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
}

variables {
  settings                  = { memory_mb = 512, timeout_seconds = 60 }
  package                   = { filename = "x.zip", digest = "aa" }
  layer_arns                = []
  log                       = { level = "INFO", retention_days = 30 }
  dispatch_send_policy_json = "{\"grant\": \"dispatch_send\"}"
  environment_variables     = {}
  policies                  = {}
  emulated                  = false
}

run "aws" {
  command = plan
  module { source = "./modules/schedule" }
  variables {
    deployment = {
      name_prefix = "sendmill-dev"
      environment = "dev"
      partition   = "aws"
      dns_suffix  = "amazonaws.com"
      region      = "us-east-1"
      account_id  = "111111111111"
    }
  }

  override_resource {
    target          = aws_scheduler_schedule_group.jobs
    override_during = plan
    values          = { arn = "arn:aws:scheduler:us-east-1:111111111111:schedule-group/jobs" }
  }

  override_resource {
    target          = aws_scheduler_schedule_group.campaigns
    override_during = plan
    values          = { arn = "arn:aws:scheduler:us-east-1:111111111111:schedule-group/campaigns" }
  }

  override_resource {
    target          = aws_iam_role.campaigns
    override_during = plan
    values          = { arn = "arn:aws:iam::111111111111:role/campaigns" }
  }

  override_resource {
    target          = aws_iam_role.jobs
    override_during = plan
    values          = { arn = "arn:aws:iam::111111111111:role/jobs" }
  }

  override_resource {
    target          = aws_sqs_queue.failures
    override_during = plan
    values          = { arn = "arn:aws:sqs:us-east-1:111111111111:failures" }
  }

  override_resource {
    target          = module.function.aws_lambda_alias.live
    override_during = plan
    values          = { arn = "arn:aws:lambda:us-east-1:111111111111:function:sweep:live" }
  }

  assert {
    condition = jsonencode([
      for s in data.aws_iam_policy_document.manage.statement : [s.actions, s.resources, s.condition]
      ]) == jsonencode([
      [
        ["scheduler:CreateSchedule"],
        ["arn:aws:scheduler:us-east-1:111111111111:schedule/campaigns/*"],
        [],
      ],
      [
        ["iam:PassRole"],
        ["arn:aws:iam::111111111111:role/campaigns"],
        [{ test = "StringEquals", variable = "iam:PassedToService", values = ["scheduler.amazonaws.com"] }],
      ],
    ])
    error_message = "The API may do more than schedule campaigns: ${jsonencode(data.aws_iam_policy_document.manage.statement)}"
  }

  assert {
    condition     = output.campaign_role_arn == "arn:aws:iam::111111111111:role/campaigns" && output.campaign_role_policies == { dispatch-send = "{\"grant\": \"dispatch_send\"}" }
    error_message = "A campaign's schedule may do more than send to the dispatch queue: ${jsonencode(output.campaign_role_policies)}"
  }

  assert {
    condition = jsonencode({
      for name, document in data.aws_iam_policy_document.assume :
      name => [for s in document.statement : [s.actions, s.principals, s.condition]]
      }) == jsonencode({
      for name in ["jobs", "campaigns"] : name => [[
        ["sts:AssumeRole"],
        [{ identifiers = ["scheduler.amazonaws.com"], type = "Service" }],
        [
          { test = "ArnEquals", variable = "aws:SourceArn", values = ["arn:aws:scheduler:us-east-1:111111111111:schedule-group/${name}"] },
          { test = "StringEquals", variable = "aws:SourceAccount", values = ["111111111111"] },
        ],
      ]]
    })
    error_message = "Schedules of others may take a role: ${jsonencode(data.aws_iam_policy_document.assume)}"
  }

  assert {
    condition = toset(flatten([
      for s in data.aws_iam_policy_document.jobs.statement : [for pair in setproduct(s.actions, s.resources) : join(" on ", pair)]
      ])) == toset([
      "lambda:InvokeFunction on arn:aws:lambda:us-east-1:111111111111:function:sweep:live",
      "sqs:SendMessage on arn:aws:sqs:us-east-1:111111111111:failures",
    ])
    error_message = "The role of sweep's schedule may do something else: ${jsonencode(data.aws_iam_policy_document.jobs.statement)}"
  }

  assert {
    condition = toset(flatten([
      for s in data.aws_iam_policy_document.failures_send.statement : [for pair in setproduct(s.actions, s.resources) : join(" on ", pair)]
    ])) == toset(["sqs:SendMessage on arn:aws:sqs:us-east-1:111111111111:failures"])
    error_message = "sweep may send elsewhere: ${jsonencode(data.aws_iam_policy_document.failures_send.statement)}"
  }

  assert {
    condition = (
      aws_scheduler_schedule.sweep.schedule_expression == "rate(1 minute)"
      && aws_scheduler_schedule.sweep.state == "ENABLED"
      && aws_scheduler_schedule.sweep.flexible_time_window[0].mode == "OFF"
      && aws_scheduler_schedule.sweep.group_name == "sendmill-dev-jobs"
      && aws_scheduler_schedule.sweep.target[0].arn == "arn:aws:lambda:us-east-1:111111111111:function:sweep:live"
      && aws_scheduler_schedule.sweep.target[0].role_arn == "arn:aws:iam::111111111111:role/jobs"
    )
    error_message = "sweep is not woken every minute: ${jsonencode(aws_scheduler_schedule.sweep)}"
  }

  assert {
    condition = (
      aws_scheduler_schedule.sweep.target[0].dead_letter_config[0].arn == "arn:aws:sqs:us-east-1:111111111111:failures"
      && aws_scheduler_schedule.sweep.target[0].retry_policy[0].maximum_event_age_in_seconds == 60
      && aws_scheduler_schedule.sweep.target[0].retry_policy[0].maximum_retry_attempts == 1
      && aws_lambda_function_event_invoke_config.sweep.maximum_retry_attempts == 0
      && aws_lambda_function_event_invoke_config.sweep.destination_config[0].on_failure[0].destination == "arn:aws:sqs:us-east-1:111111111111:failures"
    )
    error_message = "A sweep that fails is repeated late, or leaves no trace."
  }

  assert {
    condition     = output.campaign_group == "sendmill-dev-campaigns" && aws_scheduler_schedule.sweep.group_name != output.campaign_group
    error_message = "The API could change the schedule of sweep."
  }
}

run "aws_us_gov" {
  command   = plan
  providers = { aws = aws.govcloud }
  module { source = "./modules/schedule" }
  variables {
    deployment = {
      name_prefix = "sendmill-dev"
      environment = "dev"
      partition   = "aws-us-gov"
      dns_suffix  = "amazonaws.com"
      region      = "us-gov-west-1"
      account_id  = "333333333333"
    }
  }

  override_resource {
    target          = aws_scheduler_schedule_group.jobs
    override_during = plan
    values          = { arn = "arn:aws-us-gov:scheduler:us-gov-west-1:333333333333:schedule-group/jobs" }
  }

  override_resource {
    target          = aws_scheduler_schedule_group.campaigns
    override_during = plan
    values          = { arn = "arn:aws-us-gov:scheduler:us-gov-west-1:333333333333:schedule-group/campaigns" }
  }

  override_resource {
    target          = aws_iam_role.campaigns
    override_during = plan
    values          = { arn = "arn:aws-us-gov:iam::333333333333:role/campaigns" }
  }

  override_resource {
    target          = aws_iam_role.jobs
    override_during = plan
    values          = { arn = "arn:aws-us-gov:iam::333333333333:role/jobs" }
  }

  override_resource {
    target          = aws_sqs_queue.failures
    override_during = plan
    values          = { arn = "arn:aws-us-gov:sqs:us-gov-west-1:333333333333:failures" }
  }

  override_resource {
    target          = module.function.aws_lambda_alias.live
    override_during = plan
    values          = { arn = "arn:aws-us-gov:lambda:us-gov-west-1:333333333333:function:sweep:live" }
  }

  assert {
    condition = jsonencode([
      for s in data.aws_iam_policy_document.manage.statement : [s.actions, s.resources, s.condition]
      ]) == jsonencode([
      [
        ["scheduler:CreateSchedule"],
        ["arn:aws-us-gov:scheduler:us-gov-west-1:333333333333:schedule/campaigns/*"],
        [],
      ],
      [
        ["iam:PassRole"],
        ["arn:aws-us-gov:iam::333333333333:role/campaigns"],
        [{ test = "StringEquals", variable = "iam:PassedToService", values = ["scheduler.amazonaws.com"] }],
      ],
    ])
    error_message = "The API may do more than schedule campaigns: ${jsonencode(data.aws_iam_policy_document.manage.statement)}"
  }

  assert {
    condition     = output.campaign_role_arn == "arn:aws-us-gov:iam::333333333333:role/campaigns" && output.campaign_role_policies == { dispatch-send = "{\"grant\": \"dispatch_send\"}" }
    error_message = "A campaign's schedule may do more than send to the dispatch queue: ${jsonencode(output.campaign_role_policies)}"
  }

  assert {
    condition = jsonencode({
      for name, document in data.aws_iam_policy_document.assume :
      name => [for s in document.statement : [s.actions, s.principals, s.condition]]
      }) == jsonencode({
      for name in ["jobs", "campaigns"] : name => [[
        ["sts:AssumeRole"],
        [{ identifiers = ["scheduler.amazonaws.com"], type = "Service" }],
        [
          { test = "ArnEquals", variable = "aws:SourceArn", values = ["arn:aws-us-gov:scheduler:us-gov-west-1:333333333333:schedule-group/${name}"] },
          { test = "StringEquals", variable = "aws:SourceAccount", values = ["333333333333"] },
        ],
      ]]
    })
    error_message = "Schedules of others may take a role: ${jsonencode(data.aws_iam_policy_document.assume)}"
  }

  assert {
    condition = toset(flatten([
      for s in data.aws_iam_policy_document.jobs.statement : [for pair in setproduct(s.actions, s.resources) : join(" on ", pair)]
      ])) == toset([
      "lambda:InvokeFunction on arn:aws-us-gov:lambda:us-gov-west-1:333333333333:function:sweep:live",
      "sqs:SendMessage on arn:aws-us-gov:sqs:us-gov-west-1:333333333333:failures",
    ])
    error_message = "The role of sweep's schedule may do something else: ${jsonencode(data.aws_iam_policy_document.jobs.statement)}"
  }

  assert {
    condition = toset(flatten([
      for s in data.aws_iam_policy_document.failures_send.statement : [for pair in setproduct(s.actions, s.resources) : join(" on ", pair)]
    ])) == toset(["sqs:SendMessage on arn:aws-us-gov:sqs:us-gov-west-1:333333333333:failures"])
    error_message = "sweep may send elsewhere: ${jsonencode(data.aws_iam_policy_document.failures_send.statement)}"
  }

  assert {
    condition = (
      aws_scheduler_schedule.sweep.schedule_expression == "rate(1 minute)"
      && aws_scheduler_schedule.sweep.state == "ENABLED"
      && aws_scheduler_schedule.sweep.flexible_time_window[0].mode == "OFF"
      && aws_scheduler_schedule.sweep.group_name == "sendmill-dev-jobs"
      && aws_scheduler_schedule.sweep.target[0].arn == "arn:aws-us-gov:lambda:us-gov-west-1:333333333333:function:sweep:live"
      && aws_scheduler_schedule.sweep.target[0].role_arn == "arn:aws-us-gov:iam::333333333333:role/jobs"
    )
    error_message = "sweep is not woken every minute: ${jsonencode(aws_scheduler_schedule.sweep)}"
  }

  assert {
    condition = (
      aws_scheduler_schedule.sweep.target[0].dead_letter_config[0].arn == "arn:aws-us-gov:sqs:us-gov-west-1:333333333333:failures"
      && aws_scheduler_schedule.sweep.target[0].retry_policy[0].maximum_event_age_in_seconds == 60
      && aws_scheduler_schedule.sweep.target[0].retry_policy[0].maximum_retry_attempts == 1
      && aws_lambda_function_event_invoke_config.sweep.maximum_retry_attempts == 0
      && aws_lambda_function_event_invoke_config.sweep.destination_config[0].on_failure[0].destination == "arn:aws-us-gov:sqs:us-gov-west-1:333333333333:failures"
    )
    error_message = "A sweep that fails is repeated late, or leaves no trace."
  }

  assert {
    condition     = output.campaign_group == "sendmill-dev-campaigns" && aws_scheduler_schedule.sweep.group_name != output.campaign_group
    error_message = "The API could change the schedule of sweep."
  }
}
