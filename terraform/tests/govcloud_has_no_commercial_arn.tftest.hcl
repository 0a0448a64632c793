# The very same root plans in GovCloud, and stands there with everything it names. tests/infra/test_govcloud.py reads
# this plan whole: with all that a variable can switch on.

provider "aws" {
  region                      = "us-gov-west-1"
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
}

variables {
  aws_region          = "us-gov-west-1"
  partition           = "aws-us-gov"
  use_fips_endpoints  = true
  sign_in_web_acl_arn = "arn:aws-us-gov:wafv2:us-gov-west-1:333333333333:regional/webacl/sign-in/1"
  vpc                 = { subnet_ids = ["subnet-1", "subnet-2"], security_group_ids = ["sg-1"] }
}

override_data {
  target = data.aws_caller_identity.current
  values = { account_id = "333333333333" }
}

override_resource {
  target          = module.auth.aws_cognito_user_pool.this
  override_during = plan
  values = {
    id  = "us-gov-west-1_pool"
    arn = "arn:aws-us-gov:cognito-idp:us-gov-west-1:333333333333:userpool/us-gov-west-1_pool"
  }
}

run "root" {
  command = plan

  assert {
    condition = local.place == {
      name_prefix = "sendmill-dev"
      environment = "dev"
      partition   = "aws-us-gov"
      dns_suffix  = "amazonaws.com"
      region      = "us-gov-west-1"
      account_id  = "333333333333"
    }
    error_message = "The modules are told of another place: ${jsonencode(local.place)}."
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
