# A bounce or a complaint that somebody else makes up would keep people from ever getting our mail again.

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
  configuration_set = {
    name = "set"
    arn  = "arn:aws:ses:us-east-1:111111111111:configuration-set/set"
  }
  queue_settings = {
    visibility_timeout_seconds = 360
    retention_days             = 13
    max_receive_count          = 8
    dead_letter_retention_days = 14
  }
  settings = {
    memory_mb               = 512
    timeout_seconds         = 60
    batch_size              = 10
    batching_window_seconds = 5
    maximum_concurrency     = 10
  }
  package               = { filename = "x.zip", digest = "aa" }
  layer_arns            = []
  log                   = { level = "INFO", retention_days = 30 }
  environment_variables = {}
  policies              = {}
  emulated              = false
}

run "aws" {
  command = plan
  module { source = "./modules/feedback" }
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
    target          = aws_sns_topic.this
    override_during = plan
    values          = { arn = "arn:aws:sns:us-east-1:111111111111:sendmill-dev-feedback" }
  }

  override_resource {
    target          = aws_kms_key.topic
    override_during = plan
    values          = { arn = "arn:aws:kms:us-east-1:111111111111:key/key" }
  }

  override_resource {
    target          = module.queue.aws_sqs_queue.this
    override_during = plan
    values          = { arn = "arn:aws:sqs:us-east-1:111111111111:queue" }
  }

  override_resource {
    target          = module.queue.aws_sqs_queue.dead_letter
    override_during = plan
    values          = { arn = "arn:aws:sqs:us-east-1:111111111111:dlq" }
  }

  assert {
    condition = jsonencode([
      for s in data.aws_iam_policy_document.topic.statement : [s.actions, s.resources, s.principals, s.condition] if s.effect != "Deny"
      ]) == jsonencode([[
        ["sns:Publish"],
        ["arn:aws:sns:us-east-1:111111111111:sendmill-dev-feedback"],
        [{ identifiers = ["ses.amazonaws.com"], type = "Service" }],
        [
          { test = "ArnEquals", variable = "aws:SourceArn", values = ["arn:aws:ses:us-east-1:111111111111:configuration-set/set"] },
          { test = "StringEquals", variable = "aws:SourceAccount", values = ["111111111111"] },
        ],
    ]])
    error_message = "Others than our configuration set may publish: ${jsonencode(data.aws_iam_policy_document.topic.statement)}"
  }

  assert {
    condition     = aws_sns_topic_policy.this.arn == aws_sns_topic.this.arn
    error_message = "The topic does not carry its policy."
  }

  assert {
    condition = alltrue([
      for name, document in module.queue.policies_json :
      [for statement in jsondecode(document).Statement : statement if statement.Effect == "Allow"] == [{
        Sid       = "TopicSends"
        Effect    = "Allow"
        Principal = { Service = "sns.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = "arn:aws:sqs:us-east-1:111111111111:sendmill-dev-feedback-${name == "queue" ? "queue" : "dlq"}"
        Condition = { ArnEquals = { "aws:SourceArn" = "arn:aws:sns:us-east-1:111111111111:sendmill-dev-feedback" } }
      }]
    ])
    error_message = "Others than the topic may fill the queue: ${jsonencode(module.queue.policies_json)}"
  }

  assert {
    condition = jsonencode([
      for s in data.aws_iam_policy_document.key.statement : [s.actions, s.resources, s.principals, s.condition]
      ]) == jsonencode([
      [
        ["kms:*"],
        ["*"],
        [{ identifiers = ["arn:aws:iam::111111111111:root"], type = "AWS" }],
        [],
      ],
      [
        ["kms:Decrypt", "kms:GenerateDataKey*"],
        ["*"],
        [{ identifiers = ["ses.amazonaws.com"], type = "Service" }],
        [{ test = "StringEquals", variable = "kms:EncryptionContext:aws:sns:topicArn", values = ["arn:aws:sns:us-east-1:111111111111:sendmill-dev-feedback"] }],
      ],
    ])
    error_message = "The key is open to others, or closed to SES: ${jsonencode(data.aws_iam_policy_document.key.statement)}"
  }

  assert {
    condition     = aws_sns_topic.this.kms_master_key_id == "arn:aws:kms:us-east-1:111111111111:key/key" && aws_kms_key.topic.enable_key_rotation
    error_message = "The topic is not encrypted under a key that SES may use."
  }

  assert {
    condition = (
      aws_sns_topic_subscription.queue.topic_arn == aws_sns_topic.this.arn
      && aws_sns_topic_subscription.queue.protocol == "sqs"
      && aws_sns_topic_subscription.queue.endpoint == "arn:aws:sqs:us-east-1:111111111111:queue"
      && aws_sns_topic_subscription.queue.raw_message_delivery
      && jsondecode(aws_sns_topic_subscription.queue.redrive_policy) == { deadLetterTargetArn = "arn:aws:sqs:us-east-1:111111111111:dlq" }
    )
    error_message = "Events do not reach the queue as they are, or are lost when they cannot."
  }

  assert {
    condition = (
      aws_sesv2_configuration_set_event_destination.this.configuration_set_name == "set"
      && aws_sesv2_configuration_set_event_destination.this.event_destination[0].enabled
      && aws_sesv2_configuration_set_event_destination.this.event_destination[0].sns_destination[0].topic_arn == aws_sns_topic.this.arn
      && toset(aws_sesv2_configuration_set_event_destination.this.event_destination[0].matching_event_types) == toset([
        "BOUNCE", "COMPLAINT", "DELIVERY", "DELIVERY_DELAY", "REJECT", "RENDERING_FAILURE", "SEND",
      ])
    )
    error_message = "SES does not tell us everything: ${jsonencode(aws_sesv2_configuration_set_event_destination.this.event_destination)}"
  }
}

run "aws_us_gov" {
  command   = plan
  providers = { aws = aws.govcloud }
  module { source = "./modules/feedback" }
  variables {
    deployment = {
      name_prefix = "sendmill-dev"
      environment = "dev"
      partition   = "aws-us-gov"
      dns_suffix  = "amazonaws.com"
      region      = "us-gov-west-1"
      account_id  = "333333333333"
    }
    configuration_set = {
      name = "set"
      arn  = "arn:aws-us-gov:ses:us-gov-west-1:333333333333:configuration-set/set"
    }
  }

  override_resource {
    target          = aws_sns_topic.this
    override_during = plan
    values          = { arn = "arn:aws-us-gov:sns:us-gov-west-1:333333333333:sendmill-dev-feedback" }
  }

  override_resource {
    target          = aws_kms_key.topic
    override_during = plan
    values          = { arn = "arn:aws-us-gov:kms:us-gov-west-1:333333333333:key/key" }
  }

  override_resource {
    target          = module.queue.aws_sqs_queue.this
    override_during = plan
    values          = { arn = "arn:aws-us-gov:sqs:us-gov-west-1:333333333333:queue" }
  }

  override_resource {
    target          = module.queue.aws_sqs_queue.dead_letter
    override_during = plan
    values          = { arn = "arn:aws-us-gov:sqs:us-gov-west-1:333333333333:dlq" }
  }

  assert {
    condition = jsonencode([
      for s in data.aws_iam_policy_document.topic.statement : [s.actions, s.resources, s.principals, s.condition] if s.effect != "Deny"
      ]) == jsonencode([[
        ["sns:Publish"],
        ["arn:aws-us-gov:sns:us-gov-west-1:333333333333:sendmill-dev-feedback"],
        [{ identifiers = ["ses.amazonaws.com"], type = "Service" }],
        [
          { test = "ArnEquals", variable = "aws:SourceArn", values = ["arn:aws-us-gov:ses:us-gov-west-1:333333333333:configuration-set/set"] },
          { test = "StringEquals", variable = "aws:SourceAccount", values = ["333333333333"] },
        ],
    ]])
    error_message = "Others than our configuration set may publish: ${jsonencode(data.aws_iam_policy_document.topic.statement)}"
  }

  assert {
    condition     = aws_sns_topic_policy.this.arn == aws_sns_topic.this.arn
    error_message = "The topic does not carry its policy."
  }

  assert {
    condition = alltrue([
      for name, document in module.queue.policies_json :
      [for statement in jsondecode(document).Statement : statement if statement.Effect == "Allow"] == [{
        Sid       = "TopicSends"
        Effect    = "Allow"
        Principal = { Service = "sns.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = "arn:aws-us-gov:sqs:us-gov-west-1:333333333333:sendmill-dev-feedback-${name == "queue" ? "queue" : "dlq"}"
        Condition = { ArnEquals = { "aws:SourceArn" = "arn:aws-us-gov:sns:us-gov-west-1:333333333333:sendmill-dev-feedback" } }
      }]
    ])
    error_message = "Others than the topic may fill the queue: ${jsonencode(module.queue.policies_json)}"
  }

  assert {
    condition = jsonencode([
      for s in data.aws_iam_policy_document.key.statement : [s.actions, s.resources, s.principals, s.condition]
      ]) == jsonencode([
      [
        ["kms:*"],
        ["*"],
        [{ identifiers = ["arn:aws-us-gov:iam::333333333333:root"], type = "AWS" }],
        [],
      ],
      [
        ["kms:Decrypt", "kms:GenerateDataKey*"],
        ["*"],
        [{ identifiers = ["ses.amazonaws.com"], type = "Service" }],
        [{ test = "StringEquals", variable = "kms:EncryptionContext:aws:sns:topicArn", values = ["arn:aws-us-gov:sns:us-gov-west-1:333333333333:sendmill-dev-feedback"] }],
      ],
    ])
    error_message = "The key is open to others, or closed to SES: ${jsonencode(data.aws_iam_policy_document.key.statement)}"
  }

  assert {
    condition     = aws_sns_topic.this.kms_master_key_id == "arn:aws-us-gov:kms:us-gov-west-1:333333333333:key/key" && aws_kms_key.topic.enable_key_rotation
    error_message = "The topic is not encrypted under a key that SES may use."
  }

  assert {
    condition = (
      aws_sns_topic_subscription.queue.topic_arn == aws_sns_topic.this.arn
      && aws_sns_topic_subscription.queue.protocol == "sqs"
      && aws_sns_topic_subscription.queue.endpoint == "arn:aws-us-gov:sqs:us-gov-west-1:333333333333:queue"
      && aws_sns_topic_subscription.queue.raw_message_delivery
      && jsondecode(aws_sns_topic_subscription.queue.redrive_policy) == { deadLetterTargetArn = "arn:aws-us-gov:sqs:us-gov-west-1:333333333333:dlq" }
    )
    error_message = "Events do not reach the queue as they are, or are lost when they cannot."
  }

  assert {
    condition = (
      aws_sesv2_configuration_set_event_destination.this.configuration_set_name == "set"
      && aws_sesv2_configuration_set_event_destination.this.event_destination[0].enabled
      && aws_sesv2_configuration_set_event_destination.this.event_destination[0].sns_destination[0].topic_arn == aws_sns_topic.this.arn
      && toset(aws_sesv2_configuration_set_event_destination.this.event_destination[0].matching_event_types) == toset([
        "BOUNCE", "COMPLAINT", "DELIVERY", "DELIVERY_DELAY", "REJECT", "RENDERING_FAILURE", "SEND",
      ])
    )
    error_message = "SES does not tell us everything: ${jsonencode(aws_sesv2_configuration_set_event_destination.this.event_destination)}"
  }
}
