# What a function is granted stands in one policy, and a role whose inline policies exceed IAM's 10,240 characters is
# refused by its name; so is a function that is told too much. How long the policies are as deployed is counted by
# tests/integration/test_privileges.py: a plan does not know them before there is anything.

provider "aws" {
  region                      = "us-gov-west-1"
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
    partition   = "aws-us-gov"
    dns_suffix  = "amazonaws.com"
    region      = "us-gov-west-1"
    account_id  = "482913756024"
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

run "too_much" {
  command = plan
  module { source = "./modules/function" }
  variables {
    policies = {
      for number in range(200) : "number-${number}" => jsonencode({
        Version   = "2012-10-17"
        Statement = [{ Sid = "Send", Effect = "Allow", Action = "sqs:SendMessage", Resource = "arn:aws-us-gov:sqs:us-gov-west-1:482913756024:queue-of-somebody-number-${number}" }]
      })
    }
  }

  override_resource {
    target          = aws_cloudwatch_log_group.this
    override_during = plan
    values          = { arn = "arn:aws-us-gov:logs:us-gov-west-1:482913756024:log-group:log" }
  }

  expect_failures = [aws_iam_role_policy.granted]
}

# Lambda takes 4,096 characters of settings; every task queue adds to those of the API.
run "too_long_an_environment" {
  command = plan
  module { source = "./modules/function" }
  variables {
    environment_variables = { QUEUES = join(",", [for number in range(200) : "queue-of-somebody-number-${number}"]) }
  }

  override_resource {
    target          = aws_cloudwatch_log_group.this
    override_during = plan
    values          = { arn = "arn:aws-us-gov:logs:us-gov-west-1:482913756024:log-group:log" }
  }

  expect_failures = [aws_lambda_function.this]
}

# Merged, they allow what they allowed one by one, and a condition stays with its statement.
run "merged" {
  command = plan
  module { source = "./modules/function" }
  variables {
    policies = {
      a = "{\"Statement\":[{\"Sid\":\"Send\",\"Effect\":\"Allow\",\"Action\":\"sqs:SendMessage\",\"Resource\":\"queue-a\"}]}"
      b = "{\"Statement\":[{\"Sid\":\"Send\",\"Effect\":\"Allow\",\"Action\":\"sqs:SendMessage\",\"Resource\":[\"queue-b\",\"queue-a\"]}]}"
      c = "{\"Statement\":[{\"Sid\":\"Send\",\"Effect\":\"Allow\",\"Action\":\"sqs:SendMessage\",\"Resource\":\"queue-c\",\"Condition\":{\"Bool\":{\"x\":\"true\"}}}]}"
      d = "{\"Statement\":[{\"Sid\":\"Purge\",\"Effect\":\"Deny\",\"Action\":[\"sqs:PurgeQueue\"],\"Resource\":\"queue-a\"}]}"
    }
  }

  assert {
    condition = toset([for statement in jsondecode(aws_iam_role_policy.granted.policy).Statement : jsonencode(statement)]) == toset([
      jsonencode({ Effect = "Allow", Action = "sqs:SendMessage", Resource = ["queue-a", "queue-b"] }),
      jsonencode({ Effect = "Allow", Action = "sqs:SendMessage", Resource = ["queue-c"], Condition = { Bool = { x = "true" } } }),
      jsonencode({ Effect = "Deny", Action = ["sqs:PurgeQueue"], Resource = ["queue-a"] }),
    ])
    error_message = "The policy allows something else: ${aws_iam_role_policy.granted.policy}"
  }
}
