# The very same root plans in GovCloud, and stands there with everything it names.

provider "aws" {
  region                      = "us-gov-west-1"
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
}

variables {
  aws_region = "us-gov-west-1"
  partition  = "aws-us-gov"
}

override_data {
  target = data.aws_caller_identity.current
  values = { account_id = "333333333333" }
}

override_resource {
  target          = module.auth.aws_cognito_user_pool.this
  override_during = plan
  values          = { id = "us-gov-west-1_pool" }
}

run "root" {
  command = plan

  assert {
    condition = local.deployment == {
      name_prefix = "sendmill-dev"
      environment = "dev"
      partition   = "aws-us-gov"
      dns_suffix  = "amazonaws.com"
      region      = "us-gov-west-1"
      account_id  = "333333333333"
    }
    error_message = "The modules are told of another place: ${jsonencode(local.deployment)}."
  }

  assert {
    condition     = module.auth.issuer == "https://cognito-idp.us-gov-west-1.amazonaws.com/us-gov-west-1_pool"
    error_message = "The issuer is ${module.auth.issuer}."
  }

  assert {
    condition     = output.contacts_bucket == "sendmill-dev-contacts-333333333333-us-gov-west-1"
    error_message = "The bucket is called ${output.contacts_bucket}."
  }
}

run "queue_policies" {
  command = plan
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
    name     = "bulk-email"
    emulated = false
    settings = {
      visibility_timeout_seconds = 900
      retention_days             = 4
      max_receive_count          = 3
      dead_letter_retention_days = 14
    }
  }

  assert {
    condition = (
      jsondecode(aws_sqs_queue.this.policy).Statement[0].Resource == "arn:aws-us-gov:sqs:us-gov-west-1:333333333333:sendmill-dev-bulk-email-queue"
      && jsondecode(aws_sqs_queue.dead_letter.policy).Statement[0].Resource == "arn:aws-us-gov:sqs:us-gov-west-1:333333333333:sendmill-dev-bulk-email-dlq"
    )
    error_message = "The queue policies name ${aws_sqs_queue.this.policy} and ${aws_sqs_queue.dead_letter.policy}."
  }
}
