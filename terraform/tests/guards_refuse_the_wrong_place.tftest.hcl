# Values of one environment never reach another's state, and credentials of one partition never another's.

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

override_data {
  target = data.aws_caller_identity.current
  values = { account_id = "111111111111" }
}

run "another_workspace_is_refused" {
  command = plan
  variables { environment = "prod" }
  expect_failures = [var.environment]
}

run "a_commercial_account_is_refused_for_govcloud" {
  command = plan
  variables { partition = "aws-us-gov" }
  expect_failures = [data.aws_partition.current]
}

run "a_govcloud_account_is_refused_elsewhere" {
  command   = plan
  providers = { aws = aws.govcloud }
  variables { aws_region = "us-gov-west-1" }
  expect_failures = [data.aws_partition.current]
}

run "the_emulator_answers_for_every_partition" {
  command = plan
  variables {
    partition = "aws-us-gov"
    emulated  = true
  }
}
