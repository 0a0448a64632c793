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

  # GovCloud knows FIPS addresses alone:
  # https://docs.aws.amazon.com/govcloud-us/latest/UserGuide/govcloud-cog.html
  sign_in_host = var.deployment.partition == "aws" ? "auth" : "auth-fips"
  sign_in_url = (
    var.emulator_url != ""
    ? var.emulator_url
    : "https://${local.domain}.${local.sign_in_host}.${var.deployment.region}.amazoncognito.com"
  )

  # Prefixes are shared by every account of a region, so it carries the account.
  domain = coalesce(var.domain_prefix, "${var.deployment.name_prefix}-${var.deployment.account_id}")
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

  # The console signs in by authorization code and PKCE. It may not ask for the scopes below, which stand for
  # roles: a person's role comes from the groups.
  allowed_oauth_flows_user_pool_client = true
  allowed_oauth_flows                  = ["code"]
  allowed_oauth_scopes                 = ["openid", "email", "profile"]
  supported_identity_providers         = ["COGNITO"]
  callback_urls                        = var.console_urls
  logout_urls                          = var.console_urls

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

# Against guessing of passwords, beyond what Cognito does by itself. The ACL is the organisation's: its rules are
# seldom one application's own.
resource "aws_wafv2_web_acl_association" "this" {
  for_each = var.web_acl_arn == null ? {} : local.pools

  resource_arn = aws_cognito_user_pool.this["this"].arn
  web_acl_arn  = var.web_acl_arn
}

resource "aws_cognito_user_group" "role" {
  for_each = { for role, description in local.roles : role => description if var.jwt_issuer == null }

  name         = each.key
  description  = each.value
  user_pool_id = aws_cognito_user_pool.this["this"].id
}

# The pages on which people sign in, and the address that gives programs their tokens.
resource "aws_cognito_user_pool_domain" "this" {
  for_each = local.pools

  domain       = local.domain
  user_pool_id = aws_cognito_user_pool.this["this"].id
}

# A scope for each role: what a program is, where a person is in a group.
resource "aws_cognito_resource_server" "this" {
  for_each = local.pools

  identifier   = "sendmill"
  name         = var.deployment.name_prefix
  user_pool_id = aws_cognito_user_pool.this["this"].id

  dynamic "scope" {
    for_each = local.roles

    content {
      scope_name        = scope.key
      scope_description = scope.value
    }
  }
}

# Cognito makes the secret, and the state holds it, encrypted with the bucket's key; whoever sets a program up
# reads it with describe-user-pool-client.
resource "aws_cognito_user_pool_client" "program" {
  for_each = { for name, role in var.programs : name => role if var.jwt_issuer == null }

  name            = "${var.deployment.name_prefix}-${each.key}"
  user_pool_id    = aws_cognito_user_pool.this["this"].id
  generate_secret = true

  allowed_oauth_flows_user_pool_client = true
  allowed_oauth_flows                  = ["client_credentials"]
  allowed_oauth_scopes                 = ["${aws_cognito_resource_server.this["this"].identifier}/${each.value}"]
  explicit_auth_flows                  = ["ALLOW_REFRESH_TOKEN_AUTH"]

  prevent_user_existence_errors = "ENABLED"
  enable_token_revocation       = true
  access_token_validity         = 60

  token_validity_units {
    access_token = "minutes"
  }
}
