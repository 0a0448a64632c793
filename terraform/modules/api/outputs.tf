output "url" {
  description = "Base URL, without a trailing slash."
  value       = aws_apigatewayv2_api.this.api_endpoint
}

output "id" {
  description = "Id of the API."
  value       = aws_apigatewayv2_api.this.id
}

output "function_name" {
  description = "Name of the function."
  value       = module.function.name
}

output "log_group_name" {
  description = "Log group of the function."
  value       = module.function.log_group_name
}

output "access_log_group_name" {
  description = "Log group of the access log."
  value       = aws_cloudwatch_log_group.access.name
}

output "policies" {
  description = "Every policy of the function's role by its name; the tests hold them to least privilege."
  value       = module.function.policies
}
