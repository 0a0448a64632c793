# Whose jobs may take the pipeline's roles is compared exactly, and what the roles may do ends where people's
# addresses begin. Both partitions.

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
  state_bucket    = "the-state"
  artefact_bucket = "the-artefacts"
  github          = { repository = "an-owner/sendmill" }
  code_signing    = false
  emulated        = false
}

override_resource {
  target          = aws_iam_openid_connect_provider.github
  override_during = plan
  values          = { arn = "arn:aws:iam::111111111111:oidc-provider/token.actions.githubusercontent.com" }
}

run "trust" {
  command = plan
  module { source = "./modules/account" }

  assert {
    condition = {
      for name, document in data.aws_iam_policy_document.assume : name => [
        for statement in jsondecode(document.json).Statement : [statement.Action, statement.Condition]
      ]
      } == {
      for name, subject in { plan = "pull_request", apply = "environment:dev" } : name => [[
        "sts:AssumeRoleWithWebIdentity",
        {
          StringEquals = {
            "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
            "token.actions.githubusercontent.com:sub" = "repo:an-owner/sendmill:${subject}"
          }
        },
      ]]
    }
    error_message = "The roles trust others: ${jsonencode(data.aws_iam_policy_document.assume)}."
  }

  assert {
    condition     = toset(keys(aws_iam_role.pipeline)) == toset(["plan", "apply"])
    error_message = "There are other roles: ${jsonencode(keys(aws_iam_role.pipeline))}."
  }
}

run "plans_only_read" {
  command = plan
  module { source = "./modules/account" }

  assert {
    condition = alltrue(flatten([
      for statement in jsondecode(data.aws_iam_policy_document.plan.json).Statement : [
        for action in flatten([statement.Action]) : can(regex(":(Get|List|Describe|GET|Decrypt)", action))
      ]
    ]))
    error_message = "The plan role may change something."
  }

  # Rows, lists, messages, and mails as somebody else.
  assert {
    condition = length(setintersection(toset(flatten([
      for statement in jsondecode(data.aws_iam_policy_document.plan.json).Statement : statement.Action
      ])), [
      "dynamodb:GetItem", "dynamodb:Query", "dynamodb:Scan", "dynamodb:*", "dynamodb:Get*",
      "s3:*", "s3:Get*", "sqs:ReceiveMessage", "sqs:*", "logs:GetLogEvents", "logs:Get*", "ses:SendEmail", "iam:PassRole",
    ])) == 0
    error_message = "The plan role may read what people wrote."
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(data.aws_iam_policy_document.plan.json).Statement :
      statement.Resource != "*" || statement.Sid == "ReadSettings"
    ])
    error_message = "Something else than settings may be read everywhere."
  }
}

run "deploys_leave_addresses_and_the_pipeline_alone" {
  command = plan
  module { source = "./modules/account" }

  assert {
    condition = length(setintersection(toset(flatten([
      for statement in jsondecode(data.aws_iam_policy_document.apply.json).Statement : statement.Action
      if statement.Effect == "Allow"
    ])), ["dynamodb:*", "dynamodb:GetItem", "dynamodb:Query", "dynamodb:Scan", "s3:*", "iam:*", "secretsmanager:*", "kms:*", "*"])) == 0
    error_message = "The apply role may do more than deploy."
  }

  assert {
    condition = anytrue([
      for statement in jsondecode(data.aws_iam_policy_document.apply.json).Statement :
      statement.Effect == "Deny" && contains(flatten([statement.Action]), "iam:Put*") && statement.Resource == "arn:aws:iam::111111111111:role/sendmill-dev-github-*"
    ])
    error_message = "The apply role may widen itself."
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(data.aws_iam_policy_document.apply.json).Statement :
      statement.Resource == "arn:aws:iam::111111111111:role/sendmill-dev-*" if statement.Sid == "ManageItsRoles"
    ])
    error_message = "The apply role may make roles of any name."
  }
}

# What a deploy asks for where the name alone does not lead there: things called by the prefix and no more, mappings
# that have an id for a name, calls for which a service knows no resource. A refresh asks the first of them.
run "deploys_are_refused_nothing_that_they_ask_for" {
  command = plan
  module { source = "./modules/account" }

  assert {
    condition = alltrue([
      for action, arn in {
        "s3:ListBucket" = "arn:aws:s3:::sendmill-dev-contacts-111111111111-us-east-1"
        } : anytrue([
          for statement in jsondecode(data.aws_iam_policy_document.plan.json).Statement :
          anytrue([for one in flatten([statement.Action]) : can(regex("^${replace(one, "*", ".*")}$", action))])
          && anytrue([for one in flatten([statement.Resource]) : can(regex("^${replace(one, "*", ".*")}$", arn))])
      ])
    ])
    error_message = "A plan may not look whether a bucket is there."
  }

  assert {
    condition = alltrue([
      for action, arn in {
        "cloudwatch:PutDashboard"         = "arn:aws:cloudwatch::111111111111:dashboard/sendmill-dev"
        "iam:ListInstanceProfilesForRole" = "arn:aws:iam::111111111111:role/sendmill-dev-api"
        "lambda:TagResource"              = "arn:aws:lambda:us-east-1:111111111111:event-source-mapping:00000000-0000"
        "logs:CreateLogGroup"             = "arn:aws:logs:us-east-1:111111111111:log-group:/aws/vendedlogs/apigateway/sendmill-dev:log-stream:"
        "logs:ListLogDeliveries"          = "*"
        "logs:PutRetentionPolicy"         = "arn:aws:logs:us-east-1:111111111111:log-group:/aws/vendedlogs/apigateway/sendmill-dev"
        "s3:GetObjectVersion"             = "arn:aws:s3:::the-artefacts/functions/api/a.zip"
        "sns:SetSubscriptionAttributes"   = "*"
        "sns:Unsubscribe"                 = "*"
        } : anytrue([
          for statement in jsondecode(data.aws_iam_policy_document.apply.json).Statement :
          statement.Effect == "Allow"
          && anytrue([for one in flatten([statement.Action]) : can(regex("^${replace(one, "*", ".*")}$", action))])
          && anytrue([for one in flatten([statement.Resource]) : can(regex("^${replace(one, "*", ".*")}$", arn))])
      ])
    ])
    error_message = "A deploy would be refused."
  }

  # A star in a comparison that knows none matches the star alone.
  assert {
    condition = alltrue(flatten([
      for statement in jsondecode(data.aws_iam_policy_document.apply.json).Statement : [
        for test, keys in try(statement.Condition, {}) : [
          for value in flatten(values(keys)) : endswith(test, "Like") || !strcontains(value, "*")
        ]
      ]
    ]))
    error_message = "A condition holds for nobody."
  }
}

# AWS counts the characters that are not white space, of all inline policies of a role together.
run "policies_fit_a_role" {
  command = plan
  module { source = "./modules/account" }

  assert {
    condition     = alltrue([for policy in values(output.policies) : length(jsonencode(jsondecode(policy))) <= 10240])
    error_message = "Too long for a role: ${jsonencode({ for name, policy in output.policies : name => length(jsonencode(jsondecode(policy))) })} of 10240."
  }
}

run "without_a_repository_there_are_no_roles" {
  command = plan
  module { source = "./modules/account" }
  variables { github = {} }

  assert {
    condition     = length(aws_iam_role.pipeline) == 0 && length(aws_iam_openid_connect_provider.github) == 0
    error_message = "Somebody may take a role."
  }
}

run "govcloud_stays_in_its_partition" {
  command = plan
  module { source = "./modules/account" }
  variables {
    deployment = {
      name_prefix = "sendmill-govcloud"
      environment = "govcloud"
      partition   = "aws-us-gov"
      dns_suffix  = "amazonaws.com"
      region      = "us-gov-west-1"
      account_id  = "333333333333"
    }
    code_signing = true
  }

  assert {
    condition     = length(regexall("arn:aws:", join("", values(output.policies)))) == 0
    error_message = "The roles name commercial things."
  }

  assert {
    condition     = jsondecode(aws_kms_key.this.policy).Statement[0].Principal.AWS == "arn:aws-us-gov:iam::333333333333:root"
    error_message = "The key belongs to somebody else: ${aws_kms_key.this.policy}."
  }

  assert {
    condition     = aws_signer_signing_profile.this["lambda"].name == "sendmill_govcloud_lambda"
    error_message = "The profile is called ${aws_signer_signing_profile.this["lambda"].name}."
  }
}

run "state_and_artefacts_are_versioned_encrypted_private_and_over_tls" {
  command = plan
  module { source = "./modules/account" }

  assert {
    condition = alltrue(flatten([
      for name in ["state", "artefacts"] : [
        aws_s3_bucket_versioning.this[name].versioning_configuration[0].status == "Enabled",
        one(one(aws_s3_bucket_server_side_encryption_configuration.this[name].rule).apply_server_side_encryption_by_default).sse_algorithm == "aws:kms",
        aws_s3_bucket_public_access_block.this[name].restrict_public_buckets,
        jsondecode(aws_s3_bucket_policy.this[name].policy).Statement[0].Condition == { Bool = { "aws:SecureTransport" = "false" } },
        jsondecode(aws_s3_bucket_policy.this[name].policy).Statement[0].Effect == "Deny",
      ]
    ]))
    error_message = "A bucket is not protected as promised."
  }
}
