# Whatever holds addresses or events speaks TLS alone, but on an emulator, which has none.

provider "aws" {
  region                      = "us-east-1"
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
    partition   = "aws"
    dns_suffix  = "amazonaws.com"
    region      = "us-east-1"
    account_id  = "111111111111"
  }
}

run "queue" {
  command = plan
  module { source = "./modules/queue" }
  variables {
    name = "bulk-email"
    settings = {
      visibility_timeout_seconds = 900
      retention_days             = 4
      max_receive_count          = 3
      dead_letter_retention_days = 14
    }
    emulated = false
  }

  assert {
    condition = alltrue([
      for policy in [aws_sqs_queue.this.policy, aws_sqs_queue.dead_letter.policy] : anytrue([
        for statement in jsondecode(policy).Statement :
        statement.Effect == "Deny" && statement.Principal == "*" && statement.Action == "sqs:*" && statement.Condition == { Bool = { "aws:SecureTransport" = "false" } }
      ])
    ])
    error_message = "Plain HTTP is taken."
  }
}

run "queue_of_an_emulator_has_no_tls" {
  command = plan
  module { source = "./modules/queue" }
  variables {
    name = "bulk-email"
    settings = {
      visibility_timeout_seconds = 900
      retention_days             = 4
      max_receive_count          = 3
      dead_letter_retention_days = 14
    }
    emulated = true
  }

  assert {
    condition = alltrue([
      for name, document in data.aws_iam_policy_document.queue :
      try(length(document.statement), 0) == 0 && local.policies[name] == null
    ])
    error_message = "The emulator is denied, and nothing could be deployed to it."
  }
}

run "bucket" {
  command = plan
  module { source = "./modules/bucket" }
  variables {
    name          = "contacts"
    force_destroy = false
    emulated      = false
  }

  override_resource {
    target          = aws_s3_bucket.this
    override_during = plan
    values          = { arn = "arn:aws:s3:::contacts" }
  }

  assert {
    condition = length(aws_s3_bucket_policy.this) == 1 && anytrue([
      for s in data.aws_iam_policy_document.encrypted_transport.statement :
      jsonencode([s.effect, s.actions, s.principals, s.condition]) == jsonencode([
        "Deny",
        ["s3:*"],
        [{ identifiers = ["*"], type = "*" }],
        [{ test = "Bool", values = ["false"], variable = "aws:SecureTransport" }],
      ])
    ])
    error_message = "Plain HTTP is taken."
  }
}

run "bucket_of_an_emulator_has_no_tls" {
  command = plan
  module { source = "./modules/bucket" }
  variables {
    name          = "contacts"
    force_destroy = false
    emulated      = true
  }

  override_resource {
    target          = aws_s3_bucket.this
    override_during = plan
    values          = { arn = "arn:aws:s3:::contacts" }
  }

  assert {
    condition     = length(aws_s3_bucket_policy.this) == 0
    error_message = "The emulator is denied, and nothing could be deployed to it."
  }
}

run "feedback" {
  command = plan
  module { source = "./modules/feedback" }
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

  override_resource {
    target          = aws_sns_topic.this
    override_during = plan
    values          = { arn = "arn:aws:sns:us-east-1:111111111111:sendmill-dev-feedback" }
  }

  assert {
    condition = anytrue([
      for s in data.aws_iam_policy_document.topic.statement :
      jsonencode([s.effect, s.actions, s.principals, s.condition]) == jsonencode([
        "Deny",
        ["sns:Publish"],
        [{ identifiers = ["*"], type = "*" }],
        [{ test = "Bool", values = ["false"], variable = "aws:SecureTransport" }],
      ])
    ])
    error_message = "Plain HTTP is taken."
  }
}

run "feedback_of_an_emulator_has_no_tls" {
  command = plan
  module { source = "./modules/feedback" }
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
    emulated              = true
  }

  override_resource {
    target          = aws_sns_topic.this
    override_during = plan
    values          = { arn = "arn:aws:sns:us-east-1:111111111111:sendmill-dev-feedback" }
  }

  assert {
    condition     = alltrue([for s in data.aws_iam_policy_document.topic.statement : s.effect != "Deny"])
    error_message = "The emulator is denied, and nothing could be deployed to it."
  }
  assert {
    condition = alltrue([
      for policy in values(module.queue.policies_json) : alltrue([for s in jsondecode(policy).Statement : s.Effect == "Allow"])
    ])
    error_message = "The emulator's topic could not fill the queue."
  }
}

run "schedule" {
  command = plan
  module { source = "./modules/schedule" }
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

  assert {
    condition = anytrue([
      for statement in jsondecode(aws_sqs_queue.failures.policy).Statement :
      statement.Effect == "Deny" && statement.Principal == "*" && statement.Action == "sqs:*" && statement.Condition == { Bool = { "aws:SecureTransport" = "false" } }
    ])
    error_message = "Plain HTTP is taken."
  }
}

run "schedule_of_an_emulator_has_no_tls" {
  command = plan
  module { source = "./modules/schedule" }
  variables {
    settings                  = { memory_mb = 512, timeout_seconds = 60 }
    package                   = { filename = "x.zip", digest = "aa" }
    layer_arns                = []
    log                       = { level = "INFO", retention_days = 30 }
    dispatch_send_policy_json = "{\"grant\": \"dispatch_send\"}"
    environment_variables     = {}
    policies                  = {}
    emulated                  = true
  }

  assert {
    condition     = length(data.aws_iam_policy_document.failures) == 0
    error_message = "The emulator is denied, and nothing could be deployed to it."
  }
}
