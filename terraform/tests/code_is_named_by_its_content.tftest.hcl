# A published zip is named by the digest of its content, so a plan needs the manifest alone and a change of one
# digest is a change of one function. What wakes a function wakes its alias.

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
  artefacts_dir                    = "tests/fixtures/artefacts"
  emulated                         = false
  publish_versions                 = true
  bucket                           = "the-artefacts"
  code_signing_profile_version_arn = null
}

run "published" {
  command = plan
  module { source = "./modules/artefacts" }

  assert {
    condition = (
      output.functions["dispatch"].digest == "bb"
      && output.functions["dispatch"].filename == null
      && "${output.functions["dispatch"].bucket}/${output.functions["dispatch"].key}" == "the-artefacts/functions/dispatch/bb.zip"
      && output.functions["dispatch"].code_signing_config_arn == null
      && output.functions["dispatch"].publish
    )
    error_message = "dispatch comes from elsewhere: ${jsonencode(output.functions["dispatch"])}."
  }

  assert {
    condition     = { for name, layer in aws_lambda_layer_version.this : name => "${layer.s3_bucket}/${layer.s3_key}" } == { sendmill = "the-artefacts/layers/sendmill/dd.zip", dependencies = "the-artefacts/layers/dependencies/ee.zip", imaging = "the-artefacts/layers/imaging/ff.zip" }
    error_message = "The layers come from elsewhere."
  }
}

run "on_this_machine" {
  command = plan
  module { source = "./modules/artefacts" }
  variables { bucket = null }

  assert {
    condition     = output.functions["dispatch"].filename == "tests/fixtures/artefacts/functions/dispatch.zip" && output.functions["dispatch"].key == null
    error_message = "dispatch comes from elsewhere: ${jsonencode(output.functions["dispatch"])}."
  }

  assert {
    condition     = output.release == run.published.release
    error_message = "The name of a release depends on where the zips are."
  }
}

run "signed" {
  command = plan
  module { source = "./modules/artefacts" }
  variables { code_signing_profile_version_arn = "arn:aws:signer:us-east-1:111111111111:/signing-profiles/p/v" }

  assert {
    condition = (
      output.functions["api"].key == "signed/functions/api/aa.zip"
      && aws_lambda_layer_version.this["sendmill"].s3_key == "signed/layers/sendmill/dd.zip"
      && aws_lambda_code_signing_config.this["signed"].policies[0].untrusted_artifact_on_deployment == "Enforce"
    )
    error_message = "Unsigned code is taken."
  }
}

run "what_wakes_a_function_wakes_its_alias" {
  command = plan
  module { source = "./modules/worker" }
  variables {
    name                  = "email_worker"
    package               = { bucket = "the-artefacts", key = "functions/email_worker/cc.zip", digest = "cc" }
    layer_arns            = []
    log                   = { level = "INFO", retention_days = 30 }
    settings              = { memory_mb = 512, timeout_seconds = 300, batch_size = 10, batching_window_seconds = 5, maximum_concurrency = 10 }
    queue                 = { arn = "arn:aws:sqs:us-east-1:111111111111:q", consume_policy_json = "{}", visibility_timeout_seconds = 900 }
    environment_variables = {}
    policies              = {}
  }

  override_resource {
    target          = module.function.aws_lambda_alias.live
    override_during = plan
    values          = { arn = "arn:aws:lambda:us-east-1:111111111111:function:email-worker:live" }
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.function_name == "arn:aws:lambda:us-east-1:111111111111:function:email-worker:live"
    error_message = "The queue wakes ${aws_lambda_event_source_mapping.this.function_name}."
  }
}

run "every_change_is_a_version" {
  command = plan
  module { source = "./modules/function" }
  variables {
    name                  = "email_worker"
    package               = { bucket = "the-artefacts", key = "functions/email_worker/cc.zip", digest = "cc" }
    layer_arns            = []
    log                   = { level = "INFO", retention_days = 30 }
    memory_mb             = 512
    timeout_seconds       = 300
    environment_variables = {}
    policies              = {}
  }

  assert {
    condition = (
      aws_lambda_function.this.publish
      && aws_lambda_function.this.s3_key == "functions/email_worker/cc.zip"
      && aws_lambda_function.this.source_code_hash == "cc"
      && aws_lambda_alias.live.name == "live"
    )
    error_message = "The function would be changed in place."
  }
}
