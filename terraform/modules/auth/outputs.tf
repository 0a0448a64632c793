output "issuer" {
  description = "URL of the issuer whose tokens are trusted."
  value = (
    var.jwt_issuer != null
    ? var.jwt_issuer
    : "https://cognito-idp.${var.deployment.region}.${var.deployment.dns_suffix}/${aws_cognito_user_pool.this["this"].id}"
  )

  precondition {
    condition     = (var.jwt_issuer == null) == (var.jwt_audience == null)
    error_message = "jwt_issuer and jwt_audience go together: set both, or neither for Cognito (got jwt_issuer ${jsonencode(var.jwt_issuer)}, jwt_audience ${jsonencode(var.jwt_audience)})."
  }
}

output "audiences" {
  description = "Audiences of which a token must name one: people's, and each program's."
  value = (
    var.jwt_issuer != null
    ? [var.jwt_audience]
    : concat(
      [aws_cognito_user_pool_client.this["this"].id],
      [for name in sort(keys(aws_cognito_user_pool_client.program)) : aws_cognito_user_pool_client.program[name].id],
    )
  )
}

output "sign_in" {
  description = "What the console needs to sign somebody in: plain strings, none of them secret."
  value = (
    var.jwt_issuer != null
    ? var.oidc
    : {
      authorization_endpoint = "${local.sign_in_url}/oauth2/authorize"
      token_endpoint         = "${local.sign_in_url}/oauth2/token"
      logout_endpoint        = "${local.sign_in_url}/logout"
      client_id              = aws_cognito_user_pool_client.this["this"].id
      scope                  = "openid email profile"
    }
  )
}

output "token_endpoint" {
  description = "Where programs get their tokens; empty when another issuer gives them."
  value       = var.jwt_issuer == null ? "${local.sign_in_url}/oauth2/token" : var.oidc.token_endpoint
}

output "program_client_ids" {
  description = "Client id of each program."
  value       = { for name, client in aws_cognito_user_pool_client.program : name => client.id }
}

output "user_pool_id" {
  description = "Id of the user pool; empty when another issuer is trusted."
  value       = var.jwt_issuer == null ? aws_cognito_user_pool.this["this"].id : ""
}

output "user_pool_client_id" {
  description = "Id of the app client; empty when another issuer is trusted."
  value       = var.jwt_issuer == null ? aws_cognito_user_pool_client.this["this"].id : ""
}
