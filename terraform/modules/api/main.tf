locals {
  routes = jsondecode(file("${path.module}/routes.json"))
}

module "function" {
  source = "../function"

  deployment            = var.deployment
  name                  = "api"
  package               = var.package
  layer_arns            = var.layer_arns
  log                   = var.log
  memory_mb             = var.settings.memory_mb
  timeout_seconds       = var.settings.timeout_seconds
  environment_variables = var.environment_variables
  policies              = var.policies
}

resource "aws_apigatewayv2_api" "this" {
  name          = var.deployment.name_prefix
  protocol_type = "HTTP"
}

resource "aws_apigatewayv2_authorizer" "this" {
  api_id           = aws_apigatewayv2_api.this.id
  name             = "jwt"
  authorizer_type  = "JWT"
  identity_sources = ["$request.header.Authorization"]

  jwt_configuration {
    issuer   = var.jwt_issuer
    audience = var.jwt_audiences
  }

  lifecycle {
    # An argument of Lambda authorizers that a JWT authorizer does not have. The emulator answers "2.0" all
    # the same, which would be a difference in every plan; on AWS there is nothing to ignore.
    ignore_changes = [authorizer_payload_format_version]
  }
}

resource "aws_apigatewayv2_integration" "this" {
  api_id                 = aws_apigatewayv2_api.this.id
  integration_type       = "AWS_PROXY"
  integration_uri        = module.function.invoke_arn
  payload_format_version = "2.0"
}

# One list, which a test compares with the routes in the code. There is no $default route: what is not
# listed does not exist.
resource "aws_apigatewayv2_route" "signed" {
  for_each = toset(local.routes.signed)

  api_id             = aws_apigatewayv2_api.this.id
  route_key          = each.key
  target             = "integrations/${aws_apigatewayv2_integration.this.id}"
  authorization_type = "JWT"
  authorizer_id      = aws_apigatewayv2_authorizer.this.id
}

# Open on purpose: the recipient of a mail has no account, and neither has the mail program that unsubscribes
# for its user (RFC 8058). The signed token in the path is what is checked, by the function.
resource "aws_apigatewayv2_route" "anonymous" {
  #checkov:skip=CKV_AWS_309:open on purpose, see above; the function checks a signed token
  for_each = toset(local.routes.anonymous)

  api_id             = aws_apigatewayv2_api.this.id
  route_key          = each.key
  target             = "integrations/${aws_apigatewayv2_integration.this.id}"
  authorization_type = "NONE"
}

# The prefix /aws/vendedlogs keeps the log group out of the account's log resource policy, which is limited
# to 5,120 characters: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging.html
resource "aws_cloudwatch_log_group" "access" {
  name              = "/aws/vendedlogs/apigateway/${var.deployment.name_prefix}"
  retention_in_days = var.log.retention_days
  kms_key_id        = lookup(var.deployment.keys, "logs", null)
}

resource "aws_apigatewayv2_stage" "this" {
  api_id      = aws_apigatewayv2_api.this.id
  name        = "$default"
  auto_deploy = true

  default_route_settings {
    detailed_metrics_enabled = true
    throttling_rate_limit    = var.settings.rate_limit
    throttling_burst_limit   = var.settings.burst_limit
  }

  # Route keys, not paths: a path may carry an id, and a query anything at all.
  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.access.arn
    format = jsonencode({
      request_id        = "$context.requestId"
      time              = "$context.requestTime"
      source_ip         = "$context.identity.sourceIp"
      route             = "$context.routeKey"
      status            = "$context.status"
      latency_ms        = "$context.responseLatency"
      subject           = "$context.authorizer.claims.sub"
      authorizer_error  = "$context.authorizer.error"
      integration_error = "$context.integrationErrorMessage"
    })
  }
}

resource "aws_lambda_permission" "api" {
  statement_id  = "HttpApiInvokes"
  action        = "lambda:InvokeFunction"
  function_name = module.function.name
  qualifier     = module.function.alias
  principal     = "apigateway.${var.deployment.dns_suffix}"
  source_arn    = "${aws_apigatewayv2_api.this.execution_arn}/*/*"
}
