# Background tasks: the promised settings, what may do what, and tasks by the clock; in both partitions.

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
  package               = { filename = "x.zip", digest = "aa" }
  layer_arns            = []
  log                   = { level = "INFO", retention_days = 30 }
  settings              = { memory_mb = 1024, timeout_seconds = 300, max_attempts = 3, backoff_seconds = 30 }
  files                 = { export_days = 30, link_minutes = 5 }
  protect_data          = true
  environment_variables = { DEFAULT_FROM_EMAIL = "noreply@example.com" }
  policies              = {}
  emulated              = false

  queues = {
    tasks = {
      visibility_timeout_seconds = 1800
      retention_days             = 14
      max_receive_count          = 5
      dead_letter_retention_days = 14
      batch_size                 = 10
      batching_window_seconds    = 5
      maximum_concurrency        = 10
    }
    files = {
      visibility_timeout_seconds = 3600
      retention_days             = 14
      max_receive_count          = 5
      dead_letter_retention_days = 14
      batch_size                 = 1
      batching_window_seconds    = 0
      maximum_concurrency        = 2
    }
  }

  periodic = {
    nightly = {
      task                = "generate_report"
      schedule            = "cron(0 3 * * ? *)"
      timezone            = "America/Chicago"
      queue               = "files"
      kwargs_json         = "{\"title\":\"a < b & c\"}"
      enabled             = false
      maximum_age_seconds = 600
    }
  }

  buckets = {
    uploads = ["read"]
    archive = ["read", "write", "delete"]
  }
}

run "aws" {
  command = plan
  module { source = "./modules/tasks" }
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

  override_module {
    target          = module.queue
    override_during = plan
    outputs = {
      name                           = "q"
      dead_letter_name               = "q-dlq"
      url                            = "https://sqs/q"
      arn                            = "arn:aws:sqs:us-east-1:111111111111:q"
      dead_letter_url                = "https://sqs/q-dlq"
      dead_letter_arn                = "arn:aws:sqs:us-east-1:111111111111:q-dlq"
      send_policy_json               = "{}"
      watch_policy_json              = "{}"
      dead_letters_watch_policy_json = "{}"
      redrive_policy_json            = "{}"
      policies_json                  = {}
      source                         = { arn = "a", consume_policy_json = "{}", visibility_timeout_seconds = 1800 }
    }
  }

  override_resource {
    target          = aws_dynamodb_table.receipts
    override_during = plan
    values          = { arn = "arn:aws:dynamodb:us-east-1:111111111111:table/tasks" }
  }

  override_resource {
    target          = module.files_bucket.aws_s3_bucket.this
    override_during = plan
    values          = { arn = "arn:aws:s3:::files" }
  }

  override_resource {
    target          = aws_sqs_queue.failures
    override_during = plan
    values          = { arn = "arn:aws:sqs:us-east-1:111111111111:failures" }
  }

  override_resource {
    target          = aws_scheduler_schedule_group.this
    override_during = plan
    values          = { arn = "arn:aws:scheduler:us-east-1:111111111111:schedule-group/tasks" }
  }

  override_resource {
    target          = aws_iam_role.schedules
    override_during = plan
    values          = { arn = "arn:aws:iam::111111111111:role/tasks-schedule" }
  }

  assert {
    condition = {
      for name, mapping in aws_lambda_event_source_mapping.this : name => [
        mapping.batch_size, mapping.maximum_batching_window_in_seconds, mapping.scaling_config[0].maximum_concurrency,
      ]
    } == { tasks = [10, 5, 10], files = [1, 0, 2] }
    error_message = "A mapping does not take its bites from its queue's settings."
  }

  assert {
    condition     = alltrue([for mapping in aws_lambda_event_source_mapping.this : contains(mapping.function_response_types, "ReportBatchItemFailures")])
    error_message = "One bad task would bring back its whole batch."
  }

  assert {
    condition = {
      for name, document in {
        consume   = data.aws_iam_policy_document.consume
        send      = data.aws_iam_policy_document.send
        dead      = data.aws_iam_policy_document.dead_letters_send
        watch     = data.aws_iam_policy_document.watch
        receipts  = data.aws_iam_policy_document.receipts_write
        list      = data.aws_iam_policy_document.receipts_list
        share     = data.aws_iam_policy_document.receipts_share
        upload    = data.aws_iam_policy_document.upload
        schedules = data.aws_iam_policy_document.schedules
        } : name => toset(flatten([
          for statement in document.statement : [for pair in setproduct(statement.actions, statement.resources) : join(" on ", pair)]
      ]))
      } == {
      consume = toset([
        "sqs:ChangeMessageVisibility on arn:aws:sqs:us-east-1:111111111111:q",
        "sqs:DeleteMessage on arn:aws:sqs:us-east-1:111111111111:q",
        "sqs:GetQueueAttributes on arn:aws:sqs:us-east-1:111111111111:q",
        "sqs:ReceiveMessage on arn:aws:sqs:us-east-1:111111111111:q",
      ])
      send = toset(["sqs:SendMessage on arn:aws:sqs:us-east-1:111111111111:q"])
      dead = toset(["sqs:SendMessage on arn:aws:sqs:us-east-1:111111111111:q-dlq"])
      watch = toset([
        "sqs:GetQueueAttributes on arn:aws:sqs:us-east-1:111111111111:q",
        "sqs:GetQueueAttributes on arn:aws:sqs:us-east-1:111111111111:q-dlq",
      ])
      receipts = toset([
        "dynamodb:PutItem on arn:aws:dynamodb:us-east-1:111111111111:table/tasks",
        "dynamodb:UpdateItem on arn:aws:dynamodb:us-east-1:111111111111:table/tasks",
      ])
      list = toset(["dynamodb:Query on arn:aws:dynamodb:us-east-1:111111111111:table/tasks/index/recent"])
      share = toset([
        "dynamodb:GetItem on arn:aws:dynamodb:us-east-1:111111111111:table/tasks",
        "dynamodb:PutItem on arn:aws:dynamodb:us-east-1:111111111111:table/tasks",
        "dynamodb:UpdateItem on arn:aws:dynamodb:us-east-1:111111111111:table/tasks",
      ])
      upload = toset([
        "s3:PutObject on arn:aws:s3:::files/reports/*",
        "s3:PutObject on arn:aws:s3:::files/tasks/*",
        "s3:PutObject on arn:aws:s3:::files/users/*",
      ])
      schedules = toset([
        "sqs:SendMessage on arn:aws:sqs:us-east-1:111111111111:q",
        "sqs:SendMessage on arn:aws:sqs:us-east-1:111111111111:failures",
      ])
    }
    error_message = "A permission of the tasks allows something else."
  }

  assert {
    condition = toset(flatten([
      for statement in data.aws_iam_policy_document.files.statement : [for pair in setproduct(statement.actions, statement.resources) : join(" on ", pair)]
      ])) == toset([
      "s3:GetObject on arn:aws:s3:::files/*",
      "s3:GetObject on arn:aws:s3:::uploads/*",
      "s3:GetObject on arn:aws:s3:::archive/*",
      "s3:ListBucket on arn:aws:s3:::files",
      "s3:ListBucket on arn:aws:s3:::uploads",
      "s3:ListBucket on arn:aws:s3:::archive",
      "s3:PutObject on arn:aws:s3:::files/*",
      "s3:PutObject on arn:aws:s3:::archive/*",
      "s3:DeleteObject on arn:aws:s3:::archive/*",
    ])
    error_message = "Tasks may do something else with files: ${jsonencode(data.aws_iam_policy_document.files.statement)}"
  }

  assert {
    condition = (
      aws_scheduler_schedule.this["nightly"].schedule_expression == "cron(0 3 * * ? *)"
      && aws_scheduler_schedule.this["nightly"].schedule_expression_timezone == "America/Chicago"
      && aws_scheduler_schedule.this["nightly"].state == "DISABLED"
      && aws_scheduler_schedule.this["nightly"].group_name == "sendmill-dev-tasks"
      && aws_scheduler_schedule.this["nightly"].target[0].role_arn == "arn:aws:iam::111111111111:role/tasks-schedule"
      && aws_scheduler_schedule.this["nightly"].target[0].dead_letter_config[0].arn == "arn:aws:sqs:us-east-1:111111111111:failures"
      && aws_scheduler_schedule.this["nightly"].target[0].retry_policy[0].maximum_event_age_in_seconds == 600
    )
    error_message = "The periodic task is not scheduled as set: ${jsonencode(aws_scheduler_schedule.this["nightly"])}"
  }

  # jsonencode on both sides: the order of keys is the alphabet's, and < and > stand as themselves.
  assert {
    condition     = aws_scheduler_schedule.this["nightly"].target[0].input == "{\"kwargs\":{\"title\":\"a < b \\u0026 c\"},\"schedule\":\"<aws.scheduler.schedule-arn>\",\"scheduled\":\"<aws.scheduler.scheduled-time>\",\"task\":\"generate_report\"}"
    error_message = "The tick would put another message on the queue: ${aws_scheduler_schedule.this["nightly"].target[0].input}"
  }

  assert {
    condition = jsonencode([for s in data.aws_iam_policy_document.schedules_assume.statement : [s.actions, s.principals, s.condition]]) == jsonencode([[
      ["sts:AssumeRole"],
      [{ identifiers = ["scheduler.amazonaws.com"], type = "Service" }],
      [
        { test = "ArnEquals", variable = "aws:SourceArn", values = ["arn:aws:scheduler:us-east-1:111111111111:schedule-group/tasks"] },
        { test = "StringEquals", variable = "aws:SourceAccount", values = ["111111111111"] },
      ],
    ]])
    error_message = "Schedules of others may take the role: ${jsonencode(data.aws_iam_policy_document.schedules_assume.statement)}"
  }

  assert {
    condition = jsonencode([
      for s in data.aws_iam_policy_document.delay.statement : [s.actions, s.resources, s.condition]
      ]) == jsonencode([
      [["scheduler:CreateSchedule"], ["arn:aws:scheduler:us-east-1:111111111111:schedule/tasks/*"], []],
      [
        ["iam:PassRole"],
        ["arn:aws:iam::111111111111:role/tasks-schedule"],
        [{ test = "StringEquals", variable = "iam:PassedToService", values = ["scheduler.amazonaws.com"] }],
      ],
    ])
    error_message = "Who delays tasks may do more than that: ${jsonencode(data.aws_iam_policy_document.delay.statement)}"
  }

  assert {
    condition = (
      aws_dynamodb_table.receipts.ttl[0].attribute_name == "expires_at" && aws_dynamodb_table.receipts.ttl[0].enabled
      && aws_dynamodb_table.receipts.deletion_protection_enabled && aws_dynamodb_table.receipts.point_in_time_recovery[0].enabled
    )
    error_message = "The receipts are not protected, or are kept for ever."
  }

  assert {
    condition     = !module.files_bucket.protection.public && module.files_bucket.protection.versioned && module.files_bucket.protection.policies == 1 && jsondecode(aws_sqs_queue.failures.policy).Statement[0].Condition.Bool["aws:SecureTransport"] == "false"
    error_message = "The bucket of files is open to the world, or ticks travel over plain HTTP."
  }

  assert {
    condition     = { for rule in aws_s3_bucket_lifecycle_configuration.files.rule : rule.id => one([for e in rule.expiration : e.days]) if length(rule.expiration) > 0 } == { forget-exports = 30, forget-tasks = 30 }
    error_message = "Something else than exports and large arguments is forgotten, or at another time."
  }
}

run "aws_us_gov" {
  command   = plan
  providers = { aws = aws.govcloud }
  module { source = "./modules/tasks" }
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
    target          = module.files_bucket.aws_s3_bucket.this
    override_during = plan
    values          = { arn = "arn:aws-us-gov:s3:::files" }
  }

  assert {
    condition     = length(regexall("arn:aws:", jsonencode([data.aws_iam_policy_document.files.statement, data.aws_iam_policy_document.upload.statement, local.failures_arn, aws_sqs_queue.failures.policy]))) == 0
    error_message = "A commercial ARN stands in GovCloud."
  }

  assert {
    condition     = contains(flatten([for s in data.aws_iam_policy_document.files.statement : s.resources]), "arn:aws-us-gov:s3:::uploads/*") && local.failures_arn == "arn:aws-us-gov:sqs:us-gov-west-1:333333333333:sendmill-dev-tasks-schedule-dlq"
    error_message = "The application's buckets are sought in another partition."
  }

  assert {
    condition = {
      for name, queue in module.queue : name => [for key in ["queue", "dead_letter"] : jsondecode(queue.policies_json[key]).Statement[0].Resource]
      } == {
      tasks = ["arn:aws-us-gov:sqs:us-gov-west-1:333333333333:sendmill-dev-tasks-queue", "arn:aws-us-gov:sqs:us-gov-west-1:333333333333:sendmill-dev-tasks-dlq"]
      files = ["arn:aws-us-gov:sqs:us-gov-west-1:333333333333:sendmill-dev-tasks-files-queue", "arn:aws-us-gov:sqs:us-gov-west-1:333333333333:sendmill-dev-tasks-files-dlq"]
    }
    error_message = "The queues are called otherwise, or take messages over plain HTTP: ${jsonencode({ for name, queue in module.queue : name => queue.policies_json })}"
  }
}

run "an_application_may_use_the_keys_of_what_it_sends_and_no_other" {
  command = plan
  module { source = "./modules/tasks" }
  variables {
    deployment = {
      name_prefix = "sendmill-dev"
      environment = "dev"
      partition   = "aws"
      dns_suffix  = "amazonaws.com"
      region      = "us-east-1"
      account_id  = "111111111111"
      keys        = { queues = "arn:aws:kms:us-east-1:111111111111:key/queues", data = "arn:aws:kms:us-east-1:111111111111:key/data" }
    }
  }

  assert {
    condition = jsonencode({
      for name, document in data.aws_iam_policy_document.application : name => [for s in document.statement : [s.actions, s.resources, s.condition]]
      }) == jsonencode({
      for name, use in { send = ["queues", "sqs"], upload = ["data", "s3"], receipts = ["data", "dynamodb"] } : name => [[
        ["kms:Decrypt", "kms:GenerateDataKey"],
        ["arn:aws:kms:us-east-1:111111111111:key/${use[0]}"],
        [{ test = "StringEquals", variable = "kms:ViaService", values = ["${use[1]}.us-east-1.amazonaws.com"] }],
      ]]
    })
    error_message = "An application may use other keys, or its own way: ${jsonencode(data.aws_iam_policy_document.application)}"
  }

  assert {
    condition = (
      aws_sqs_queue.failures.kms_master_key_id == "arn:aws:kms:us-east-1:111111111111:key/queues"
      && aws_dynamodb_table.receipts.server_side_encryption[0].kms_key_arn == "arn:aws:kms:us-east-1:111111111111:key/data"
      && module.files_bucket.protection.kms_key_arn == "arn:aws:kms:us-east-1:111111111111:key/data"
    )
    error_message = "Something of the tasks lies under another key."
  }
}

run "a_task_must_stay_hidden_for_six_timeouts" {
  command = plan
  module { source = "./modules/tasks" }
  variables {
    settings = { memory_mb = 1024, timeout_seconds = 301, max_attempts = 3, backoff_seconds = 30 }
    deployment = {
      name_prefix = "sendmill-dev"
      environment = "dev"
      partition   = "aws"
      dns_suffix  = "amazonaws.com"
      region      = "us-east-1"
      account_id  = "111111111111"
    }
  }
  expect_failures = [aws_lambda_event_source_mapping.this["tasks"]]
}

run "a_receive_is_not_an_attempt" {
  command = plan
  module { source = "./modules/tasks" }
  variables {
    settings = { memory_mb = 1024, timeout_seconds = 300, max_attempts = 5, backoff_seconds = 30 }
    deployment = {
      name_prefix = "sendmill-dev"
      environment = "dev"
      partition   = "aws"
      dns_suffix  = "amazonaws.com"
      region      = "us-east-1"
      account_id  = "111111111111"
    }
  }
  expect_failures = [aws_lambda_event_source_mapping.this["tasks"], aws_lambda_event_source_mapping.this["files"]]
}
