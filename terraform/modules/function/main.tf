locals {
  function_name = "${var.deployment.name_prefix}-${replace(var.name, "_", "-")}"
}

# Made here and first: a function that runs before its log group exists makes one itself, which then never
# expires and stands in the way of this one.
resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/lambda/${local.function_name}"
  retention_in_days = var.log.retention_days
}

resource "aws_lambda_function" "this" {
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
    variables = merge(var.environment_variables, {
      ENVIRONMENT                  = var.deployment.environment
      LOG_LEVEL                    = var.log.level
      POWERTOOLS_SERVICE_NAME      = var.name
      POWERTOOLS_METRICS_NAMESPACE = "Sendmill"
    })
  }

  tracing_config {
    mode = "Active"
  }

  # No logging_config: GovCloud refuses the JSON log format, and the code prints JSON itself.
  # https://docs.aws.amazon.com/govcloud-us/latest/UserGuide/govcloud-lambda.html

  # Whoever may call the function (a mapping, the API) depends on it, and so finds it able to do its work.
  depends_on = [aws_cloudwatch_log_group.this, aws_iam_role_policy.runtime, aws_iam_role_policy.granted]
}

# Whoever wakes the function wakes this name, so that one pointer says which version works. Without published
# versions (a laptop) it points at what was deployed last.
resource "aws_lambda_alias" "live" {
  name             = "live"
  description      = "What works now"
  function_name    = aws_lambda_function.this.function_name
  function_version = aws_lambda_function.this.version
}
