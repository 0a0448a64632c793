# Whose tokens the API trusts: a Cognito user pool, or any OpenID Connect issuer the organisation has.

locals {
  # A role for each kind of work, from looking on to doing everything; the code reads them from the token.
  roles = {
    viewer = "Sees campaigns and lists"
    editor = "Prepares campaigns and uploads lists"
    sender = "Starts, pauses and resumes campaigns"
    admin  = "Everything"
  }

  pools = var.jwt_issuer == null ? { this = true } : {}
}

resource "aws_cognito_user_pool" "this" {
  for_each = local.pools

  name                     = var.deployment.name_prefix
  deletion_protection      = var.protect_data ? "ACTIVE" : "INACTIVE"
  auto_verified_attributes = ["email"]

  # No self sign-up: whoever can sign in was invited.
  admin_create_user_config {
    allow_admin_create_user_only = true
  }

  username_configuration {
    case_sensitive = false
  }

  password_policy {
    minimum_length                   = 14
    require_lowercase                = true
    require_uppercase                = true
    require_numbers                  = true
    require_symbols                  = true
    temporary_password_validity_days = 3
  }

  account_recovery_setting {
    recovery_mechanism {
      name     = "verified_email"
      priority = 1
    }
  }
}

resource "aws_cognito_user_pool_client" "this" {
  for_each = local.pools

  name         = var.deployment.name_prefix
  user_pool_id = aws_cognito_user_pool.this["this"].id

  # No secret, since a browser could not keep one. SRP is for people; the admin flow, which needs AWS
  # credentials besides the password, is for the command line and the tests.
  generate_secret = false
  explicit_auth_flows = [
    "ALLOW_ADMIN_USER_PASSWORD_AUTH",
    "ALLOW_REFRESH_TOKEN_AUTH",
    "ALLOW_USER_SRP_AUTH",
  ]

  prevent_user_existence_errors = "ENABLED"
  enable_token_revocation       = true

  # An HTTP API does not ask whether a token was revoked: it stays good until it expires.
  access_token_validity  = 15
  id_token_validity      = 15
  refresh_token_validity = 12

  token_validity_units {
    access_token  = "minutes"
    id_token      = "minutes"
    refresh_token = "hours"
  }
}

resource "aws_cognito_user_group" "role" {
  for_each = { for role, description in local.roles : role => description if var.jwt_issuer == null }

  name         = each.key
  description  = each.value
  user_pool_id = aws_cognito_user_pool.this["this"].id
}
