# A message that fails three times waits where it can be found, and nothing else can be put there.

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
  name     = "bulk-email"
  emulated = false
  settings = {
    visibility_timeout_seconds = 900
    retention_days             = 4
    max_receive_count          = 3
    dead_letter_retention_days = 14
  }
}

run "wired_in_aws" {
  command = plan
  module { source = "./modules/queue" }
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
    target          = aws_sqs_queue.dead_letter
    override_during = plan
    values          = { arn = "arn:aws:sqs:us-east-1:111111111111:sendmill-dev-bulk-email-dlq" }
  }

  assert {
    condition = jsondecode(aws_sqs_queue.this.redrive_policy) == {
      deadLetterTargetArn = "arn:aws:sqs:us-east-1:111111111111:sendmill-dev-bulk-email-dlq"
      maxReceiveCount     = 3
    }
    error_message = "The queue does not send its dead letters to its own queue after 3 receives: ${aws_sqs_queue.this.redrive_policy}."
  }

  assert {
    condition = jsondecode(aws_sqs_queue.dead_letter.redrive_allow_policy) == {
      redrivePermission = "byQueue"
      sourceQueueArns   = ["arn:aws:sqs:us-east-1:111111111111:sendmill-dev-bulk-email-queue"]
    }
    error_message = "Queues other than its own may send dead letters here: ${aws_sqs_queue.dead_letter.redrive_allow_policy}."
  }

  assert {
    condition     = aws_sqs_queue.dead_letter.message_retention_seconds == 14 * 86400
    error_message = "Dead letters are kept ${aws_sqs_queue.dead_letter.message_retention_seconds} s, not 14 days."
  }

  assert {
    condition     = aws_sqs_queue.this.visibility_timeout_seconds == 900 && aws_sqs_queue.this.message_retention_seconds == 4 * 86400
    error_message = "The queue does not take its times from the settings."
  }

  assert {
    condition = alltrue([
      for policy in [aws_sqs_queue.this.policy, aws_sqs_queue.dead_letter.policy] :
      jsondecode(policy).Statement[0].Effect == "Deny" && jsondecode(policy).Statement[0].Condition.Bool["aws:SecureTransport"] == "false"
    ])
    error_message = "A queue takes messages over plain HTTP."
  }

  assert {
    condition     = aws_sqs_queue.this.sqs_managed_sse_enabled && aws_sqs_queue.dead_letter.sqs_managed_sse_enabled
    error_message = "A queue is not encrypted."
  }
}

run "wired_in_aws_us_gov" {
  command   = plan
  providers = { aws = aws.govcloud }
  module { source = "./modules/queue" }
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
    target          = aws_sqs_queue.dead_letter
    override_during = plan
    values          = { arn = "arn:aws-us-gov:sqs:us-gov-west-1:333333333333:sendmill-dev-bulk-email-dlq" }
  }

  assert {
    condition = jsondecode(aws_sqs_queue.this.redrive_policy) == {
      deadLetterTargetArn = "arn:aws-us-gov:sqs:us-gov-west-1:333333333333:sendmill-dev-bulk-email-dlq"
      maxReceiveCount     = 3
    }
    error_message = "The queue does not send its dead letters to its own queue after 3 receives: ${aws_sqs_queue.this.redrive_policy}."
  }

  assert {
    condition = jsondecode(aws_sqs_queue.dead_letter.redrive_allow_policy) == {
      redrivePermission = "byQueue"
      sourceQueueArns   = ["arn:aws-us-gov:sqs:us-gov-west-1:333333333333:sendmill-dev-bulk-email-queue"]
    }
    error_message = "Queues other than its own may send dead letters here: ${aws_sqs_queue.dead_letter.redrive_allow_policy}."
  }

  assert {
    condition     = aws_sqs_queue.dead_letter.message_retention_seconds == 14 * 86400
    error_message = "Dead letters are kept ${aws_sqs_queue.dead_letter.message_retention_seconds} s, not 14 days."
  }

  assert {
    condition     = aws_sqs_queue.this.visibility_timeout_seconds == 900 && aws_sqs_queue.this.message_retention_seconds == 4 * 86400
    error_message = "The queue does not take its times from the settings."
  }

  assert {
    condition = alltrue([
      for policy in [aws_sqs_queue.this.policy, aws_sqs_queue.dead_letter.policy] :
      jsondecode(policy).Statement[0].Effect == "Deny" && jsondecode(policy).Statement[0].Condition.Bool["aws:SecureTransport"] == "false"
    ])
    error_message = "A queue takes messages over plain HTTP."
  }

  assert {
    condition     = aws_sqs_queue.this.sqs_managed_sse_enabled && aws_sqs_queue.dead_letter.sqs_managed_sse_enabled
    error_message = "A queue is not encrypted."
  }
}
