# What each permission allows, action by action, and on GovCloud ARNs alone.

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
    account_id  = "333333333333"
  }
}

run "store" {
  command = plan
  module { source = "./modules/store" }
  variables {
    protect_data         = true
    list_retention_days  = 396
    upload_origins       = ["https://api.example.com/v1"]
    secret_recovery_days = 30
    emulated             = false
  }

  override_resource {
    target          = aws_dynamodb_table.campaigns
    override_during = plan
    values          = { arn = "arn:aws-us-gov:dynamodb:us-gov-west-1:333333333333:table/campaigns" }
  }

  override_resource {
    target          = aws_dynamodb_table.recipients
    override_during = plan
    values          = { arn = "arn:aws-us-gov:dynamodb:us-gov-west-1:333333333333:table/recipients" }
  }

  override_resource {
    target          = module.contacts_bucket.aws_s3_bucket.this
    override_during = plan
    values          = { arn = "arn:aws-us-gov:s3:::contacts" }
  }

  override_resource {
    target          = aws_secretsmanager_secret.keys
    override_during = plan
    values          = { arn = "arn:aws-us-gov:secretsmanager:us-gov-west-1:333333333333:secret:keys" }
  }

  assert {
    condition = {
      for name, document in data.aws_iam_policy_document.table : name => toset(flatten([
        for statement in document.statement : [
          for pair in setproduct(statement.actions, statement.resources) : join(" on ", pair)
        ]
      ]))
      } == {
      campaigns_get = toset([
        "dynamodb:GetItem on arn:aws-us-gov:dynamodb:us-gov-west-1:333333333333:table/campaigns",
      ])
      campaigns_query = toset([
        "dynamodb:Query on arn:aws-us-gov:dynamodb:us-gov-west-1:333333333333:table/campaigns",
      ])
      campaigns_list = toset([
        "dynamodb:Query on arn:aws-us-gov:dynamodb:us-gov-west-1:333333333333:table/campaigns/index/by_kind",
      ])
      campaigns_write = toset([
        "dynamodb:PutItem on arn:aws-us-gov:dynamodb:us-gov-west-1:333333333333:table/campaigns",
        "dynamodb:UpdateItem on arn:aws-us-gov:dynamodb:us-gov-west-1:333333333333:table/campaigns",
      ])
      campaigns_update = toset([
        "dynamodb:UpdateItem on arn:aws-us-gov:dynamodb:us-gov-west-1:333333333333:table/campaigns",
      ])
      campaigns_check = toset([
        "dynamodb:ConditionCheckItem on arn:aws-us-gov:dynamodb:us-gov-west-1:333333333333:table/campaigns",
      ])
      campaigns_delete = toset([
        "dynamodb:DeleteItem on arn:aws-us-gov:dynamodb:us-gov-west-1:333333333333:table/campaigns",
      ])
      recipients_get = toset([
        "dynamodb:BatchGetItem on arn:aws-us-gov:dynamodb:us-gov-west-1:333333333333:table/recipients",
      ])
      recipients_query = toset([
        "dynamodb:Query on arn:aws-us-gov:dynamodb:us-gov-west-1:333333333333:table/recipients",
      ])
      recipients_due = toset([
        "dynamodb:Query on arn:aws-us-gov:dynamodb:us-gov-west-1:333333333333:table/recipients/index/due",
      ])
      recipients_put = toset([
        "dynamodb:PutItem on arn:aws-us-gov:dynamodb:us-gov-west-1:333333333333:table/recipients",
      ])
      recipients_update = toset([
        "dynamodb:UpdateItem on arn:aws-us-gov:dynamodb:us-gov-west-1:333333333333:table/recipients",
      ])
      recipients_delete = toset([
        "dynamodb:DeleteItem on arn:aws-us-gov:dynamodb:us-gov-west-1:333333333333:table/recipients",
      ])
      suppressions_read = toset([
        "dynamodb:BatchGetItem on arn:aws-us-gov:dynamodb:us-gov-west-1:333333333333:table/recipients",
      ])
    }
    error_message = "A permission on a table allows something else: ${jsonencode({ for name, document in data.aws_iam_policy_document.table : name => document.statement })}"
  }

  assert {
    condition = {
      for name, document in data.aws_iam_policy_document.contacts : name => toset(flatten([
        for statement in document.statement : [
          for pair in setproduct(statement.actions, statement.resources) : join(" on ", pair)
        ]
      ]))
      } == {
      lists_read = toset([
        "s3:GetObject on arn:aws-us-gov:s3:::contacts/lists/*",
      ])
      lists_write = toset([
        "s3:PutObject on arn:aws-us-gov:s3:::contacts/lists/*",
      ])
      lists_delete = toset([
        "s3:DeleteObject on arn:aws-us-gov:s3:::contacts/lists/*",
      ])
      contacts_erase = toset([
        "s3:DeleteObjectVersion on arn:aws-us-gov:s3:::contacts/lists/*",
        "s3:DeleteObjectVersion on arn:aws-us-gov:s3:::contacts/uploads/*",
        "s3:GetObjectVersion on arn:aws-us-gov:s3:::contacts/lists/*",
        "s3:GetObjectVersion on arn:aws-us-gov:s3:::contacts/uploads/*",
      ])
      uploads_read = toset([
        "s3:GetObject on arn:aws-us-gov:s3:::contacts/uploads/*",
      ])
      uploads_write = toset([
        "s3:PutObject on arn:aws-us-gov:s3:::contacts/uploads/*",
      ])
      uploads_delete = toset([
        "s3:DeleteObjectVersion on arn:aws-us-gov:s3:::contacts/uploads/*",
      ])
    }
    error_message = "A permission on the bucket of contacts allows something else."
  }

  assert {
    condition = toset(flatten([
      for statement in data.aws_iam_policy_document.contacts_find.statement : [
        for pair in setproduct(statement.actions, statement.resources) : join(" on ", pair)
      ]
      ])) == toset([
      "s3:ListBucket on arn:aws-us-gov:s3:::contacts",
      "s3:ListBucketVersions on arn:aws-us-gov:s3:::contacts",
    ])
    error_message = "The permission to find contacts allows something else: ${jsonencode(data.aws_iam_policy_document.contacts_find.statement)}"
  }

  assert {
    condition = toset(flatten([
      for statement in data.aws_iam_policy_document.keys_read.statement : [
        for pair in setproduct(statement.actions, statement.resources) : join(" on ", pair)
      ]
      ])) == toset([
      "secretsmanager:GetSecretValue on arn:aws-us-gov:secretsmanager:us-gov-west-1:333333333333:secret:keys",
    ])
    error_message = "The permission to read the keys allows something else: ${jsonencode(data.aws_iam_policy_document.keys_read.statement)}"
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

  override_resource {
    target          = aws_sqs_queue.this
    override_during = plan
    values          = { arn = "arn:aws-us-gov:sqs:us-gov-west-1:333333333333:queue" }
  }

  override_resource {
    target          = aws_sqs_queue.dead_letter
    override_during = plan
    values          = { arn = "arn:aws-us-gov:sqs:us-gov-west-1:333333333333:dlq" }
  }

  assert {
    condition = toset(flatten([
      for statement in data.aws_iam_policy_document.send.statement : [
        for pair in setproduct(statement.actions, statement.resources) : join(" on ", pair)
      ]
      ])) == toset([
      "sqs:SendMessage on arn:aws-us-gov:sqs:us-gov-west-1:333333333333:queue",
    ])
    error_message = "The permission to send allows something else: ${jsonencode(data.aws_iam_policy_document.send.statement)}"
  }

  assert {
    condition = toset(flatten([
      for statement in data.aws_iam_policy_document.consume.statement : [
        for pair in setproduct(statement.actions, statement.resources) : join(" on ", pair)
      ]
      ])) == toset([
      "sqs:ChangeMessageVisibility on arn:aws-us-gov:sqs:us-gov-west-1:333333333333:queue",
      "sqs:DeleteMessage on arn:aws-us-gov:sqs:us-gov-west-1:333333333333:queue",
      "sqs:GetQueueAttributes on arn:aws-us-gov:sqs:us-gov-west-1:333333333333:queue",
      "sqs:ReceiveMessage on arn:aws-us-gov:sqs:us-gov-west-1:333333333333:queue",
    ])
    error_message = "The permission to consume allows something else: ${jsonencode(data.aws_iam_policy_document.consume.statement)}"
  }

  assert {
    condition = toset(flatten([
      for statement in data.aws_iam_policy_document.watch["queue"].statement : [
        for pair in setproduct(statement.actions, statement.resources) : join(" on ", pair)
      ]
      ])) == toset([
      "sqs:GetQueueAttributes on arn:aws-us-gov:sqs:us-gov-west-1:333333333333:queue",
    ])
    error_message = "The permission to watch a queue allows something else: ${jsonencode(data.aws_iam_policy_document.watch["queue"].statement)}"
  }

  assert {
    condition = toset(flatten([
      for statement in data.aws_iam_policy_document.watch["dead_letter"].statement : [
        for pair in setproduct(statement.actions, statement.resources) : join(" on ", pair)
      ]
      ])) == toset([
      "sqs:GetQueueAttributes on arn:aws-us-gov:sqs:us-gov-west-1:333333333333:dlq",
    ])
    error_message = "The permission to watch dead letters allows something else: ${jsonencode(data.aws_iam_policy_document.watch["dead_letter"].statement)}"
  }

  assert {
    condition = toset(flatten([
      for statement in data.aws_iam_policy_document.redrive.statement : [
        for pair in setproduct(statement.actions, statement.resources) : join(" on ", pair)
      ]
      ])) == toset([
      "sqs:DeleteMessage on arn:aws-us-gov:sqs:us-gov-west-1:333333333333:dlq",
      "sqs:GetQueueAttributes on arn:aws-us-gov:sqs:us-gov-west-1:333333333333:dlq",
      "sqs:ListMessageMoveTasks on arn:aws-us-gov:sqs:us-gov-west-1:333333333333:dlq",
      "sqs:PurgeQueue on arn:aws-us-gov:sqs:us-gov-west-1:333333333333:dlq",
      "sqs:ReceiveMessage on arn:aws-us-gov:sqs:us-gov-west-1:333333333333:dlq",
      "sqs:SendMessage on arn:aws-us-gov:sqs:us-gov-west-1:333333333333:queue",
      "sqs:StartMessageMoveTask on arn:aws-us-gov:sqs:us-gov-west-1:333333333333:dlq",
    ])
    error_message = "The permission to redrive allows something else: ${jsonencode(data.aws_iam_policy_document.redrive.statement)}"
  }
}

run "mail" {
  command = plan
  module { source = "./modules/mail" }
  variables {
    domain               = "example.com"
    default_from_email   = "noreply@example.com"
    secret_name          = "smtp"
    secret_recovery_days = 30
    emulated             = false
  }

  override_resource {
    target          = aws_sesv2_email_identity.this
    override_during = plan
    values          = { arn = "arn:aws-us-gov:ses:us-gov-west-1:333333333333:identity/example.com" }
  }

  override_resource {
    target          = aws_sesv2_configuration_set.this
    override_during = plan
    values          = { arn = "arn:aws-us-gov:ses:us-gov-west-1:333333333333:configuration-set/set" }
  }

  override_resource {
    target          = aws_secretsmanager_secret.smtp
    override_during = plan
    values          = { arn = "arn:aws-us-gov:secretsmanager:us-gov-west-1:333333333333:secret:smtp" }
  }

  assert {
    condition = toset(flatten([
      for statement in data.aws_iam_policy_document.send.statement : [
        for pair in setproduct(statement.actions, statement.resources) : join(" on ", pair)
      ]
      ])) == toset([
      "ses:SendEmail on arn:aws-us-gov:ses:us-gov-west-1:333333333333:configuration-set/set",
      "ses:SendEmail on arn:aws-us-gov:ses:us-gov-west-1:333333333333:identity/example.com",
    ])
    error_message = "The permission to send mail allows something else: ${jsonencode(data.aws_iam_policy_document.send.statement)}"
  }

  assert {
    condition = toset(flatten([
      for statement in data.aws_iam_policy_document.secret_read.statement : [
        for pair in setproduct(statement.actions, statement.resources) : join(" on ", pair)
      ]
      ])) == toset([
      "secretsmanager:GetSecretValue on arn:aws-us-gov:secretsmanager:us-gov-west-1:333333333333:secret:smtp",
    ])
    error_message = "The permission to read SMTP credentials allows something else: ${jsonencode(data.aws_iam_policy_document.secret_read.statement)}"
  }

  assert {
    condition = data.aws_iam_policy_document.send.statement[0].condition == toset([
      { test = "StringLike", variable = "ses:FromAddress", values = tolist(["*@example.com"]) },
    ])
    error_message = "The worker may send as somebody else: ${jsonencode(data.aws_iam_policy_document.send.statement[0].condition)}"
  }

  assert {
    condition = toset(flatten([
      for statement in data.aws_iam_policy_document.identities_read.statement : [
        for pair in setproduct(statement.actions, statement.resources) : join(" on ", pair)
      ]
      ])) == toset([
      "ses:GetEmailIdentity on arn:aws-us-gov:ses:us-gov-west-1:333333333333:identity/*",
      "ses:ListEmailIdentities on *",
    ])
    error_message = "The permission to read identities allows something else: ${jsonencode(data.aws_iam_policy_document.identities_read.statement)}"
  }

  assert {
    condition = toset(flatten([
      for statement in data.aws_iam_policy_document.account_read.statement : [
        for pair in setproduct(statement.actions, statement.resources) : join(" on ", pair)
      ]
      ])) == toset([
      "ses:GetAccount on *",
    ])
    error_message = "The permission to read the account allows something else: ${jsonencode(data.aws_iam_policy_document.account_read.statement)}"
  }
}

run "function" {
  command = plan
  module { source = "./modules/function" }
  variables {
    name                  = "api"
    package               = { filename = "x.zip", digest = "aa" }
    layer_arns            = []
    log                   = { level = "INFO", retention_days = 30 }
    memory_mb             = 512
    timeout_seconds       = 28
    environment_variables = {}
    policies              = {}
  }

  override_resource {
    target          = aws_cloudwatch_log_group.this
    override_during = plan
    values          = { arn = "arn:aws-us-gov:logs:us-gov-west-1:333333333333:log-group:log" }
  }

  assert {
    condition = toset(flatten([
      for statement in data.aws_iam_policy_document.runtime.statement : [
        for pair in setproduct(statement.actions, statement.resources) : join(" on ", pair)
      ]
      ])) == toset([
      "logs:CreateLogStream on arn:aws-us-gov:logs:us-gov-west-1:333333333333:log-group:log:*",
      "logs:PutLogEvents on arn:aws-us-gov:logs:us-gov-west-1:333333333333:log-group:log:*",
      "xray:PutTelemetryRecords on *",
      "xray:PutTraceSegments on *",
    ])
    error_message = "The permission every function has allows something else: ${jsonencode(data.aws_iam_policy_document.runtime.statement)}"
  }

  assert {
    condition     = jsondecode(data.aws_iam_policy_document.assume.json).Statement[0].Principal == { Service = "lambda.amazonaws.com" }
    error_message = "Somebody other than Lambda may take the role: ${data.aws_iam_policy_document.assume.json}"
  }
}
