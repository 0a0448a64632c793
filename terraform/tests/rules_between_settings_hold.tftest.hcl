# Two settings that are each fine alone, and break something together.

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
  package    = { filename = "x.zip", digest = "aa" }
  layer_arns = []
  log        = { level = "INFO", retention_days = 30 }
  name       = "email_worker"
  settings = {
    memory_mb               = 512
    timeout_seconds         = 300
    batch_size              = 10
    batching_window_seconds = 5
    maximum_concurrency     = 10
  }
  queue = {
    arn                        = "arn:aws:sqs:us-east-1:111111111111:queue"
    consume_policy_json        = "{}"
    visibility_timeout_seconds = 900
  }
  environment_variables = {}
  policies              = {}
}

run "a_message_must_stay_hidden_for_three_timeouts" {
  command = plan
  module { source = "./modules/worker" }
  variables {
    queue = {
      arn                        = "arn:aws:sqs:us-east-1:111111111111:queue"
      consume_policy_json        = "{}"
      visibility_timeout_seconds = 899
    }
  }
  expect_failures = [aws_lambda_event_source_mapping.this]
}

run "a_batch_over_ten_needs_a_window" {
  command = plan
  module { source = "./modules/worker" }
  variables {
    settings = {
      memory_mb               = 512
      timeout_seconds         = 300
      batch_size              = 11
      batching_window_seconds = 0
      maximum_concurrency     = 10
    }
  }
  expect_failures = [aws_lambda_event_source_mapping.this]
}

run "a_message_must_outlive_its_receives" {
  command = plan
  module { source = "./modules/queue" }
  variables {
    name     = "tasks"
    emulated = false
    settings = {
      visibility_timeout_seconds = 43200
      retention_days             = 1
      max_receive_count          = 3
      dead_letter_retention_days = 14
    }
  }
  expect_failures = [aws_sqs_queue.this]
}

run "dead_letters_must_outlive_messages" {
  command = plan
  module { source = "./modules/queue" }
  variables {
    name     = "tasks"
    emulated = false
    settings = {
      visibility_timeout_seconds = 900
      retention_days             = 13
      max_receive_count          = 3
      dead_letter_retention_days = 13
    }
  }
  expect_failures = [aws_sqs_queue.dead_letter]
}

run "the_default_sender_must_be_of_the_mail_domain" {
  command = plan
  module { source = "./modules/mail" }
  variables {
    domain               = "example.com"
    default_from_email   = "noreply@another.example.com"
    secret_name          = "smtp"
    secret_recovery_days = 30
    emulated             = false
  }
  expect_failures = [aws_sesv2_email_identity.this]
}

run "an_issuer_needs_its_audience" {
  command = plan
  module { source = "./modules/auth" }
  variables {
    jwt_issuer    = "https://issuer.example.com"
    jwt_audience  = null
    protect_data  = true
    console_urls  = []
    domain_prefix = null
    programs      = {}
    emulator_url  = ""
    oidc = {
      authorization_endpoint = ""
      token_endpoint         = ""
      logout_endpoint        = ""
      client_id              = ""
      scope                  = ""
    }
  }
  expect_failures = [output.issuer]
}

run "artefacts_of_a_laptop_do_not_reach_aws" {
  command = plan
  module { source = "./modules/artefacts" }
  variables {
    artefacts_dir                    = "tests/fixtures/artefacts_of_a_laptop"
    emulated                         = false
    bucket                           = null
    publish_versions                 = true
    code_signing_profile_version_arn = null
  }
  expect_failures = [aws_lambda_layer_version.this]
}
