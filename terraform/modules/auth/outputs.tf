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

output "audience" {
  description = "Audience a token must name."
  value       = var.jwt_issuer != null ? var.jwt_audience : aws_cognito_user_pool_client.this["this"].id
}

output "user_pool_id" {
  description = "Id of the user pool; empty when another issuer is trusted."
  value       = var.jwt_issuer == null ? aws_cognito_user_pool.this["this"].id : ""
}

output "user_pool_client_id" {
  description = "Id of the app client; empty when another issuer is trusted."
  value       = var.jwt_issuer == null ? aws_cognito_user_pool_client.this["this"].id : ""
}
