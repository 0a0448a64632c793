locals {
  # Of the services the functions call, those to be called at FIPS endpoints; without any the setting is left out.
  fips = {
    for name, value in { FIPS_ENDPOINTS = join(",", try(var.deployment.functions.fips_endpoints, [])) } : name => value if value != ""
  }

  function_name = "${var.deployment.name_prefix}-${replace(var.name, "_", "-")}"

  environment = merge(var.environment_variables, {
    ENVIRONMENT                  = var.deployment.environment
    LOG_LEVEL                    = var.log.level
    POWERTOOLS_SERVICE_NAME      = var.name
    POWERTOOLS_METRICS_NAMESPACE = "Sendmill"
  }, local.fips)

  in_vpc = length(try(var.deployment.functions.subnet_ids, [])) > 0
}

# Made here and first: a function that runs before its log group exists makes one itself, which then never
# expires and stands in the way of this one.
resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/lambda/${local.function_name}"
  retention_in_days = var.log.retention_days
  kms_key_id        = lookup(var.deployment.keys, "logs", null)
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_115:the queue's maximum_concurrency bounds it; a reservation would take from the account what nobody uses
  #checkov:skip=CKV_AWS_116:queues have dead-letter queues, and the one function invoked asynchronously an on-failure queue
  #checkov:skip=CKV_AWS_173:the settings are names of tables and queues; what is secret is read from Secrets Manager
  #checkov:skip=CKV_AWS_272:the zips are built from hashed locks and keyed by digest; signing needs a profile of the account
  function_name    = local.function_name
  role             = aws_iam_role.this.arn
  handler          = "handler.handler"
  layers           = var.layer_arns
  source_code_hash = var.package.digest

  # One of the two: a zip on this machine, or an object whose name is the digest.
  filename  = var.package.filename
  s3_bucket = var.package.bucket
  s3_key    = var.package.key

  code_signing_config_arn = var.package.code_signing_config_arn

  # Every change of code or settings becomes a version of its own, which never changes again.
  publish = var.package.publish

  # The newest Python that this provider version accepts. The layers are built for both of these.
  runtime       = "python3.13"
  architectures = ["arm64"]

  memory_size = var.memory_mb
  timeout     = var.timeout_seconds

  environment {
    variables = local.environment
  }

  dynamic "vpc_config" {
    for_each = local.in_vpc ? [var.deployment.functions] : []

    content {
      subnet_ids         = vpc_config.value.subnet_ids
      security_group_ids = vpc_config.value.security_group_ids
    }
  }

  tracing_config {
    mode = "Active"
  }

  # No logging_config: GovCloud refuses the JSON log format, and the code prints JSON itself.
  # https://docs.aws.amazon.com/govcloud-us/latest/UserGuide/govcloud-lambda.html

  # Whoever may call the function (a mapping, the API) depends on it, and so finds it able to do its work.
  depends_on = [aws_cloudwatch_log_group.this, aws_iam_role_policy.runtime, aws_iam_role_policy.granted, aws_iam_role_policy.network]

  lifecycle {
    # Lambda says "String measured" and no name, in the middle of an apply.
    # https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
    precondition {
      condition     = length(jsonencode(local.environment)) <= 4096
      error_message = "The environment variables of ${local.function_name} must not exceed 4096 characters (got ${length(jsonencode(local.environment))})."
    }
  }
}

# Whoever wakes the function wakes this name, so that one pointer says which version works. Without published
# versions (a laptop) it points at what was deployed last.
resource "aws_lambda_alias" "live" {
  name             = "live"
  description      = "What works now"
  function_name    = aws_lambda_function.this.function_name
  function_version = aws_lambda_function.this.version
}
