# Nothing behind the API is reached without a token but the unsubscribe link and the description of the
# API, and what is not listed does not exist.

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
  settings = {
    memory_mb       = 512
    timeout_seconds = 28
    rate_limit      = 50
    burst_limit     = 100
  }
  jwt_issuer            = "https://issuer.example.com"
  jwt_audiences         = ["client", "program"]
  environment_variables = {}
  policies              = {}
}

run "routes" {
  command = plan
  module { source = "./modules/api" }

  assert {
    condition     = length(aws_apigatewayv2_route.signed) > 0 && alltrue([for route in aws_apigatewayv2_route.signed : route.authorization_type == "JWT"])
    error_message = "Open routes: ${join(", ", [for route in aws_apigatewayv2_route.signed : route.route_key if route.authorization_type != "JWT"])}."
  }

  assert {
    condition = toset([for route in aws_apigatewayv2_route.anonymous : route.route_key]) == toset([
      "GET /",
      "GET /app/{proxy+}",
      "GET /v1/openapi.json",
      "GET /docs",
      "GET /u/{campaign_id}/{rid}/{token}",
      "HEAD /u/{campaign_id}/{rid}/{token}",
      "POST /u/{campaign_id}/{rid}/{token}",
    ])
    error_message = "Other routes are open than the console, the unsubscribe link and the description of the API: ${join(", ", [for route in aws_apigatewayv2_route.anonymous : route.route_key])}."
  }

  assert {
    condition     = alltrue([for route in aws_apigatewayv2_route.anonymous : route.authorization_type == "NONE"])
    error_message = "A recipient without an account cannot unsubscribe."
  }

  assert {
    condition     = toset([for route in aws_apigatewayv2_route.signed : route.route_key]) == toset(jsondecode(file("modules/api/routes.json")).signed)
    error_message = "The routes are not the ones of routes.json."
  }

  assert {
    condition     = alltrue([for route in aws_apigatewayv2_route.signed : can(regex("^(GET|POST|PUT|PATCH|DELETE) /v1/", route.route_key))])
    error_message = "A route is a catch-all, or outside /v1."
  }

  assert {
    condition     = aws_apigatewayv2_authorizer.this.jwt_configuration[0].issuer == "https://issuer.example.com" && aws_apigatewayv2_authorizer.this.jwt_configuration[0].audience == toset(["client", "program"])
    error_message = "The authorizer trusts another issuer or audience than it was given."
  }

  assert {
    condition     = aws_apigatewayv2_stage.this.default_route_settings[0].throttling_rate_limit == 50 && aws_apigatewayv2_stage.this.default_route_settings[0].throttling_burst_limit == 100
    error_message = "The API is not throttled as set."
  }

  assert {
    condition     = aws_apigatewayv2_integration.this.payload_format_version == "2.0"
    error_message = "The functions understand payload 2.0 only."
  }
}
