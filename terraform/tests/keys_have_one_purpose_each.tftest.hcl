# Each key opens for its own services and our own roles alone, and everything that holds data stands under one.

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
  deployment = {
    name_prefix = "sendmill-dev"
    environment = "dev"
    partition   = "aws-us-gov"
    dns_suffix  = "amazonaws.com"
    region      = "us-gov-west-1"
    account_id  = "333333333333"
  }
}

override_data {
  target = data.aws_caller_identity.current
  values = { account_id = "333333333333" }
}

run "policies" {
  command = plan
  module { source = "./modules/keys" }
  variables { enabled = true }

  assert {
    condition     = alltrue([for key in aws_kms_key.this : key.enable_key_rotation && key.deletion_window_in_days == 30])
    error_message = "A key does not rotate, or is gone too soon."
  }

  assert {
    condition = {
      for purpose, document in data.aws_iam_policy_document.key : purpose => [
        for statement in jsondecode(document.json).Statement : [
          statement.Sid,
          try(statement.Condition.StringEquals["kms:ViaService"], null),
          try(statement.Condition.ArnLike["aws:PrincipalArn"], null),
        ] if statement.Sid != "TheAccountAdministers"
      ]
      } == {
      data = [["OurRolesThroughTheService", [
        "dynamodb.us-gov-west-1.amazonaws.com",
        "s3.us-gov-west-1.amazonaws.com",
        "secretsmanager.us-gov-west-1.amazonaws.com",
      ], "arn:aws-us-gov:iam::333333333333:role/sendmill-dev-*"]]
      queues = [
        ["OurRolesThroughTheService", "sqs.us-gov-west-1.amazonaws.com", "arn:aws-us-gov:iam::333333333333:role/sendmill-dev-*"],
        ["OurTopicsHandOver", null, null],
      ]
      logs = [["OurLogGroups", null, null]]
    }
    error_message = "A key opens for somebody else: ${jsonencode({ for purpose, document in data.aws_iam_policy_document.key : purpose => document.json })}"
  }

  # Whom a condition does not bind may use a key for anything.
  assert {
    condition = alltrue(flatten([
      for document in data.aws_iam_policy_document.key : [
        for statement in jsondecode(document.json).Statement :
        statement.Sid == "TheAccountAdministers" || length(try(statement.Condition, {})) > 0
      ]
    ]))
    error_message = "A statement of a key has no condition."
  }
}

run "without_them" {
  command = plan
  module { source = "./modules/keys" }
  variables { enabled = false }

  assert {
    condition     = output.arns == {}
    error_message = "There are keys although they are switched off."
  }
}

run "what_holds_data_stands_under_one" {
  command = plan
  module { source = "./modules/store" }
  variables {
    deployment = {
      name_prefix = "sendmill-dev"
      environment = "dev"
      partition   = "aws-us-gov"
      dns_suffix  = "amazonaws.com"
      region      = "us-gov-west-1"
      account_id  = "333333333333"
      keys        = { data = "arn:aws-us-gov:kms:us-gov-west-1:333333333333:key/data" }
    }
    protect_data         = true
    list_retention_days  = 396
    upload_origins       = []
    secret_recovery_days = 30
    emulated             = false
  }

  assert {
    condition = toset(concat(
      [for table in [aws_dynamodb_table.campaigns, aws_dynamodb_table.recipients] : table.server_side_encryption[0].kms_key_arn],
      [module.contacts_bucket.protection.kms_key_arn],
      [aws_secretsmanager_secret.keys.kms_key_id],
    )) == toset(["arn:aws-us-gov:kms:us-gov-west-1:333333333333:key/data"])
    error_message = "Something that holds data does not stand under its key."
  }
}

run "queues_stand_under_theirs" {
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
      keys        = { queues = "arn:aws-us-gov:kms:us-gov-west-1:333333333333:key/queues" }
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
    condition     = toset([aws_sqs_queue.this.kms_master_key_id, aws_sqs_queue.dead_letter.kms_master_key_id]) == toset(["arn:aws-us-gov:kms:us-gov-west-1:333333333333:key/queues"])
    error_message = "A queue does not stand under its key."
  }
}

run "functions_stand_in_the_network_and_call_fips_endpoints" {
  command = plan
  module { source = "./modules/function" }
  variables {
    deployment = {
      name_prefix = "sendmill-dev"
      environment = "dev"
      partition   = "aws-us-gov"
      dns_suffix  = "amazonaws.com"
      region      = "us-gov-west-1"
      account_id  = "333333333333"
      keys        = { logs = "arn:aws-us-gov:kms:us-gov-west-1:333333333333:key/logs" }
      functions = {
        subnet_ids         = ["subnet-1", "subnet-2"]
        security_group_ids = ["sg-1"]
        fips_endpoints     = ["dynamodb", "sqs"]
      }
    }
    name                  = "api"
    package               = { filename = "x.zip", digest = "aa" }
    layer_arns            = []
    log                   = { level = "INFO", retention_days = 30 }
    memory_mb             = 512
    timeout_seconds       = 28
    environment_variables = {}
    policies              = {}
  }

  assert {
    condition     = aws_lambda_function.this.vpc_config[0].subnet_ids == toset(["subnet-1", "subnet-2"]) && aws_lambda_function.this.vpc_config[0].security_group_ids == toset(["sg-1"])
    error_message = "The function does not stand in the network."
  }

  assert {
    condition = {
      for statement in jsondecode(aws_iam_role_policy.network["network"].policy).Statement :
      statement.Sid => [statement.Effect, try(statement.Condition.ArnEquals["lambda:SourceFunctionArn"], null)]
      } == {
      LambdaConnectsIt = ["Allow", null]
      TheCodeDoesNot   = ["Deny", "arn:aws-us-gov:lambda:us-gov-west-1:333333333333:function:sendmill-dev-api"]
    }
    error_message = "The code of the function may make network interfaces."
  }

  assert {
    condition     = aws_lambda_function.this.environment[0].variables.FIPS_ENDPOINTS == "dynamodb,sqs"
    error_message = "The function is not told which services to call at FIPS endpoints."
  }

  assert {
    condition     = aws_cloudwatch_log_group.this.kms_key_id == "arn:aws-us-gov:kms:us-gov-west-1:333333333333:key/logs"
    error_message = "The log does not stand under its key."
  }
}
