# Users are invited, have a strong password, and one of four roles; or another issuer knows them.

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
  protect_data  = true
  jwt_issuer    = null
  jwt_audience  = null
  emulator_url  = ""
  programs      = { reports = "viewer" }
  domain_prefix = null
  console_urls  = ["https://api.example.com/"]
  oidc = {
    authorization_endpoint = "https://issuer.example.com/authorize"
    token_endpoint         = "https://issuer.example.com/token"
    logout_endpoint        = ""
    client_id              = "console"
    scope                  = "openid"
  }
}

run "cognito" {
  command = plan
  module { source = "./modules/auth" }

  assert {
    condition = (
      aws_cognito_user_pool.this["this"].admin_create_user_config[0].allow_admin_create_user_only
      && aws_cognito_user_pool.this["this"].password_policy[0].minimum_length >= 14
      && aws_cognito_user_pool.this["this"].deletion_protection == "ACTIVE"
    )
    error_message = "Anybody may sign up, passwords may be short, or the pool can be deleted."
  }

  assert {
    condition = (
      !aws_cognito_user_pool_client.this["this"].generate_secret
      && aws_cognito_user_pool_client.this["this"].prevent_user_existence_errors == "ENABLED"
      && aws_cognito_user_pool_client.this["this"].explicit_auth_flows == toset(["ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_USER_SRP_AUTH"])
    )
    error_message = "The client has a secret, tells who exists, or sends passwords from a browser."
  }

  # Scopes stand for roles, so a browser must not be able to ask for one.
  assert {
    condition = (
      aws_cognito_user_pool_client.this["this"].allowed_oauth_flows == toset(["code"])
      && aws_cognito_user_pool_client.this["this"].allowed_oauth_scopes == toset(["openid", "email", "profile"])
      && aws_cognito_user_pool_client.this["this"].callback_urls == toset(["https://api.example.com/"])
      && aws_cognito_user_pool_client.this["this"].logout_urls == toset(["https://api.example.com/"])
    )
    error_message = "The console signs in otherwise than by code, may ask for a role, or comes back elsewhere."
  }

  assert {
    condition = (
      aws_cognito_user_pool_client.program["reports"].generate_secret
      && aws_cognito_user_pool_client.program["reports"].allowed_oauth_flows == toset(["client_credentials"])
      && aws_cognito_user_pool_client.program["reports"].allowed_oauth_scopes == toset(["sendmill/viewer"])
    )
    error_message = "A program gets more than the scope of its role."
  }

  assert {
    condition     = toset([for scope in aws_cognito_resource_server.this["this"].scope : scope.scope_name]) == toset(["admin", "editor", "sender", "viewer"])
    error_message = "The scopes are not the roles."
  }

  assert {
    condition     = aws_cognito_user_pool_domain.this["this"].domain == "sendmill-dev-111111111111"
    error_message = "The sign-in page is at ${aws_cognito_user_pool_domain.this["this"].domain}."
  }

  assert {
    condition     = toset(keys(aws_cognito_user_group.role)) == toset(["admin", "editor", "sender", "viewer"])
    error_message = "The roles are ${join(", ", keys(aws_cognito_user_group.role))}."
  }
}

run "another_issuer" {
  command = plan
  module { source = "./modules/auth" }
  variables {
    jwt_issuer   = "https://issuer.example.com"
    jwt_audience = "sendmill"
  }

  assert {
    condition     = length(aws_cognito_user_pool.this) + length(aws_cognito_user_pool_client.this) + length(aws_cognito_user_pool_client.program) + length(aws_cognito_user_pool_domain.this) + length(aws_cognito_user_group.role) == 0
    error_message = "A user pool is made beside the issuer that was chosen."
  }

  assert {
    condition     = output.issuer == "https://issuer.example.com" && output.audiences == ["sendmill"] && output.sign_in.client_id == "console" && output.user_pool_id == ""
    error_message = "The chosen issuer does not reach the API."
  }
}
